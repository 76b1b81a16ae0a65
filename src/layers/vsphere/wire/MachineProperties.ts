/**
 * The leaf properties of a VirtualMachine that the inventory keeps, and how each becomes a fact (schema/Machine). One table: a property
 * that is not in it is not asked for.
 */
import { Option, Schema } from "effect"
import type { GuestFacts, MachineFacts } from "../../../schema/Machine.ts"
import type { ObjectContent, PropertyChange } from "./Updates.ts"
import { Flag, Instant, list, Num, oneOf, Ref, Text } from "./Values.ts"

type Draft<T> = { -readonly [K in keyof T]: T[K] }
type FactsDraft = Draft<Omit<MachineFacts, "guest">> & { guest: Draft<GuestFacts> }

interface Property {
  /** False when the value does not have the documented shape; the draft is then unchanged. */
  readonly assign: (draft: FactsDraft, value: unknown) => boolean
  /** The property has no value. */
  readonly clear: (draft: FactsDraft) => void
}

const property = <A>(
  schema: Schema.ConstraintDecoder<unknown> & { readonly Type: A },
  empty: NoInfer<A> | undefined,
  put: (draft: FactsDraft, value: A | undefined) => void
): Property => {
  const decode = Schema.decodeUnknownOption(schema)
  return {
    assign: (draft, value) => {
      const decoded = decode(value)
      if (Option.isNone(decoded)) return false
      put(draft, decoded.value)
      return true
    },
    clear: (draft) => put(draft, empty)
  }
}

const powerStates = oneOf(["poweredOn", "poweredOff", "suspended"])
const connectionStates = oneOf(["connected", "disconnected", "inaccessible", "invalid", "orphaned"])

const customizations = ["IDLE", "PENDING", "RUNNING", "SUCCEEDED", "FAILED"] as const
const customization = (text: string | undefined): GuestFacts["customization"] =>
  customizations.find((status) => text === `TOOLSDEPLOYPKG_${status}`)

/** Networks that are no card of the machine (docker bridges and the like) carry -1 as their card. */
const Nic = Schema.Struct({ ipAddress: list(Text), deviceConfigId: Schema.optionalKey(Num) })
const Nics = Schema.Struct({ nics: list(Nic) })
const decodeNics = Schema.decodeUnknownOption(Nics)

const cardOrder = (nic: typeof Nic.Type): number =>
  nic.deviceConfigId === undefined || nic.deviceConfigId < 0 ? Number.MAX_SAFE_INTEGER : nic.deviceConfigId

const addresses = (value: unknown): ReadonlyArray<ReadonlyArray<string>> | undefined =>
  Option.getOrUndefined(decodeNics({ nics: value }))
    ?.nics.toSorted((a, b) => cardOrder(a) - cardOrder(b))
    .map((nic) => nic.ipAddress)

const guestNet: Property = {
  assign: (draft, value) => {
    const found = addresses(value)
    if (found === undefined) return false
    draft.guest.addresses = found
    return true
  },
  clear: (draft) => {
    draft.guest.addresses = []
  }
}

const Question = Schema.Struct({ text: Text })

/** vCenter escapes these three in names, and only these. */
const unescaped = (name: string): string =>
  name.replace(/%(2f|5c|25)/gi, (_, code: string) => String.fromCharCode(Number.parseInt(code, 16)))

/** A map, since the names come from outside: `constructor` is a key of every object. */
const properties: ReadonlyMap<string, Property> = new Map(
  Object.entries<Property>({
    name: property(Text, "", (draft, v) => (draft.name = unescaped(v ?? ""))),
    "config.instanceUuid": property(Text, "", (draft, v) => (draft.id = (v ?? "").toLowerCase())),
    "config.annotation": property(Text, "", (draft, v) => (draft.annotation = v ?? "")),
    "config.changeVersion": property(Text, "", (draft, v) => (draft.changeVersion = v ?? "")),
    "config.template": property(Flag, false, (draft, v) => (draft.template = v ?? false)),
    "config.hardware.numCPU": property(Num, 0, (draft, v) => (draft.numCpu = v ?? 0)),
    "config.hardware.memoryMB": property(Num, 0, (draft, v) => (draft.memoryMB = v ?? 0)),
    "config.createDate": property(Instant, undefined, (draft, v) => (draft.createdAt = v)),
    "runtime.powerState": property(powerStates, "poweredOff", (draft, v) => (draft.power = v ?? "poweredOff")),
    "runtime.connectionState": property(connectionStates, "invalid", (draft, v) => (draft.connection = v ?? "invalid")),
    "runtime.question": property(Question, undefined, (draft, v) => (draft.question = v?.text)),
    "runtime.bootTime": property(Instant, undefined, (draft, v) => (draft.bootedAt = v)),
    resourcePool: property(Ref, undefined, (draft, v) => (draft.resourcePool = v?.value)),
    "guest.ipAddress": property(Text, undefined, (draft, v) => (draft.guest.ipAddress = v || undefined)),
    "guest.net": guestNet,
    "guest.guestOperationsReady": property(Flag, false, (draft, v) => (draft.guest.operationsReady = v ?? false)),
    "guest.toolsRunningStatus": property(
      Text,
      "",
      (draft, v) => (draft.guest.toolsRunning = v === "guestToolsRunning")
    ),
    "guest.customizationInfo.customizationStatus": property(
      Text,
      undefined,
      (draft, v) => (draft.guest.customization = customization(v))
    )
  })
)

export const machinePaths: ReadonlyArray<string> = [...properties.keys()]

/** Paths that a vCenter older than 7.0.2 does not know: it refuses a filter that names them with InvalidProperty. */
export const recentPaths: ReadonlySet<string> = new Set(["guest.customizationInfo.customizationStatus"])

const blank = (ref: string): FactsDraft => ({
  ref,
  unreadable: [],
  name: "",
  id: "",
  annotation: "",
  changeVersion: "",
  template: false,
  power: "poweredOff",
  connection: "connected",
  question: undefined,
  numCpu: 0,
  memoryMB: 0,
  createdAt: undefined,
  bootedAt: undefined,
  resourcePool: undefined,
  guest: { ipAddress: undefined, addresses: [], operationsReady: false, toolsRunning: false, customization: undefined }
})

/** What every machine has: when it is not told, it cannot be read (host lost, permission, just being created). */
const isLasting = (name: string): boolean =>
  name.startsWith("config.") || name === "name" || name === "runtime.powerState" || name === "runtime.connectionState"

/** Whose the machine is and what it does: nothing is said of it while one of these cannot be read. vCenter always gives the first ones. */
const always = ["name", "config.changeVersion", "config.template", "runtime.powerState", "runtime.connectionState"]
const essential: ReadonlySet<string> = new Set([...always, "config.annotation", "config.instanceUuid"])

type Missing = ObjectContent["missingSet"]

/** Puts a value in. One of an unknown shape is as good as none. */
const assign = (draft: FactsDraft, unreadable: Set<string>, name: string, value: unknown) => {
  if (properties.get(name)?.assign(draft, value) === false) unreadable.add(name)
  else unreadable.delete(name)
}

const markUnreadable = (draft: FactsDraft, unreadable: ReadonlySet<string>, missing: Missing) => {
  const lost = new Set([...unreadable, ...missing.map(({ path }) => path)])
  draft.unreadable = [...essential].filter((path) => lost.has(path))
}

/** A machine as a full read shows it. What cannot be read stays as known, so that a machine of ours becomes no stranger, nor one at work an idle one. */
export const readMachine = (
  ref: string,
  values: ReadonlyArray<{ readonly name: string; readonly val?: unknown }>,
  known: MachineFacts | undefined,
  missing: Missing = []
): MachineFacts => {
  const draft = blank(ref)
  if (known !== undefined) {
    const { name, power, connection } = known
    const { id, annotation, changeVersion, template, numCpu, memoryMB, createdAt } = known
    Object.assign(draft, { name, power, connection })
    Object.assign(draft, { id, annotation, changeVersion, template, numCpu, memoryMB, createdAt })
  }
  const unreadable = new Set(always)
  for (const { name, val } of values) assign(draft, unreadable, name, val)
  markUnreadable(draft, unreadable, missing)
  return draft
}

/**
 * The machine after some of its properties changed. An `indirectRemove` of what every machine has says that it cannot be read, not that it
 * is empty: it stays as known.
 */
export const changeMachine = (
  facts: MachineFacts,
  changes: ReadonlyArray<PropertyChange>,
  missing: Missing = []
): MachineFacts => {
  const draft: FactsDraft = { ...facts, guest: { ...facts.guest } }
  const unreadable = new Set(facts.unreadable)
  for (const { name, op, val } of changes) {
    if (val !== undefined) assign(draft, unreadable, name, val)
    else if (op === "indirectRemove" && isLasting(name)) unreadable.add(name)
    else {
      properties.get(name)?.clear(draft)
      unreadable.delete(name)
    }
  }
  markUnreadable(draft, unreadable, missing)
  return draft
}
