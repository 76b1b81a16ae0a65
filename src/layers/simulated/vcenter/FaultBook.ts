/**
 * Faults by name. `SimFault` is what a test, the simulation or the control port asks for; the book keeps the ones that wait for their
 * occasion and hands each out as often as its `count` says. `inject` (Inject.ts) carries out the ones that happen at once.
 */
import { Effect, Schema } from "effect"

const count = Schema.Int.pipe(Schema.withDecodingDefaultKey(Effect.succeed(1)))
const operation = Schema.String
const millis = Schema.Finite

/** `operation` is a name of `Vim.operations`, or `*`; `machine` is a machine's name; times are milliseconds on the clock. */
export const SimFault = Schema.Union([
  /** A task of that operation takes its time and then fails with that vSphere fault. */
  Schema.TaggedStruct("TaskFails", {
    operation,
    fault: Schema.String,
    count,
    machine: Schema.optionalKey(Schema.String)
  }),
  /** A task of that operation takes so much longer. */
  Schema.TaggedStruct("TaskSlow", { operation, delayMs: millis, count, machine: Schema.optionalKey(Schema.String) }),
  /** The call itself is refused with that vSphere fault. */
  Schema.TaggedStruct("CallFails", { operation, fault: Schema.String, count }),
  /** The call does not arrive; `sent` is what the caller can tell of it. */
  Schema.TaggedStruct("CallDropped", {
    operation,
    count,
    sent: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(true)))
  }),
  /** The work is done and the answer does not arrive. */
  Schema.TaggedStruct("AnswerLost", { operation, count }),
  Schema.TaggedStruct("SlowCall", { operation, count, delayMs: millis }),
  /** Every session ends. */
  Schema.TaggedStruct("SessionEnds", {}),
  /** Collectors and their filters are gone, sessions stay. */
  Schema.TaggedStruct("CollectorLost", {}),
  /** Sessions, collectors and views are gone; nothing answers for a while. */
  Schema.TaggedStruct("Restart", { downMs: millis }),
  /** Keeps the state that `Restore` goes back to. Without one, that is the state at the start. */
  Schema.TaggedStruct("Save", {}),
  Schema.TaggedStruct("Restore", {}),
  /** That share of the machines (1: all), or these ones, vanish from every view and come back later. */
  Schema.TaggedStruct("ViewShrinks", {
    forMs: millis,
    share: Schema.optionalKey(Schema.Finite),
    machines: Schema.optionalKey(Schema.Array(Schema.String))
  }),
  /** The machines of a host, or one machine, lose their connection for a while. */
  Schema.TaggedStruct("Disconnects", {
    forMs: millis,
    state: Schema.Literals(["disconnected", "inaccessible"]),
    host: Schema.optionalKey(Schema.String),
    machine: Schema.optionalKey(Schema.String)
  }),
  /** The machine waits for an answer. */
  Schema.TaggedStruct("Asks", { machine: Schema.String, text: Schema.String, forMs: millis }),
  Schema.TaggedStruct("DatastoreFull", { forMs: millis }),
  /** The next boots go wrong; `Dies` powers the guest off `afterMs` after it is ready. */
  Schema.TaggedStruct("GuestFails", {
    how: Schema.Literals(["NeverBoots", "ToolsNever", "CustomizationFails", "WrongAddress", "NoAddress", "Dies"]),
    count,
    machine: Schema.optionalKey(Schema.String),
    afterMs: Schema.optionalKey(Schema.Finite)
  }),
  /** The next waits answer so much later. */
  Schema.TaggedStruct("UpdatesLate", { count, delayMs: millis }),
  /** The next waits tell the last updates once more. */
  Schema.TaggedStruct("UpdatesDuplicate", { count }),
  /** A property cannot be read: it comes in `missingSet`. */
  Schema.TaggedStruct("Unreadable", { path: Schema.String, forMs: millis })
])
export type SimFault = typeof SimFault.Type
/** The same as it is written: `count` is 1 when absent. */
export type SimFaultInput = typeof SimFault.Encoded
export type FaultName = SimFault["_tag"]
export type FaultOf<T extends FaultName> = Extract<SimFault, { readonly _tag: T }>

/** Faults that wait for a call, task or boot. */
export type Waiting = Extract<SimFault, { readonly count: number }>

export interface FaultBook {
  readonly arm: (fault: Waiting) => void
  /** The first waiting fault of that name that fits, used up by one. */
  readonly take: <T extends Waiting["_tag"]>(name: T, operation: string, machine?: string) => FaultOf<T> | undefined
  readonly clear: () => void
  /** True while some fault waits for such a call or task. */
  readonly awaits: (operation: string) => boolean
  readonly unreadable: (path: string) => boolean
  readonly unreadablePaths: () => ReadonlyArray<string>
  readonly setUnreadable: (path: string, unreadable: boolean) => void
  /** Clock time until which nothing answers. */
  readonly downUntil: () => number
  readonly setDownUntil: (millis: number) => void
}

const fits = (fault: Waiting, operation: string, machine: string | undefined): boolean => {
  if ("operation" in fault && fault.operation !== "*" && fault.operation !== operation) return false
  return !("machine" in fault) || fault.machine === undefined || fault.machine === machine
}

export const makeFaultBook = (): FaultBook => {
  let armed: ReadonlyArray<Waiting> = []
  const unreadable = new Set<string>()
  let downUntil = 0
  return {
    arm: (fault) => {
      armed = [...armed, fault]
    },
    take: (name, operation, machine) => {
      const found = armed.find((fault) => fault._tag === name && fits(fault, operation, machine))
      if (found === undefined) return undefined
      armed = armed.flatMap((fault) => {
        if (fault !== found) return [fault]
        return fault.count > 1 ? [{ ...fault, count: fault.count - 1 }] : []
      })
      return found as FaultOf<typeof name>
    },
    clear: () => {
      armed = []
    },
    awaits: (operation) => armed.some((fault) => "operation" in fault && fits(fault, operation, undefined)),
    unreadable: (path) => unreadable.has(path),
    unreadablePaths: () => [...unreadable],
    setUnreadable: (path, on) => {
      if (on) unreadable.add(path)
      else unreadable.delete(path)
    },
    downUntil: () => downUntil,
    setDownUntil: (millis) => {
      downUntil = millis
    }
  }
}
