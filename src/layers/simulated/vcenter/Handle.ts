/** The handle of a simulated vCenter: the way in for calls, and for judges and mischief makers the ways around. */
import { Effect, Schema } from "effect"
import type { VimFault, VimUnreachable } from "../../../schema/Errors.ts"
import type { VimOperation } from "../../vsphere/Vim.ts"
import type { Core } from "./Core.ts"
import { addForeign } from "./Estate.ts"
import type { ForeignOptions } from "./Estate.ts"
import { SimFault } from "./FaultBook.ts"
import type { SimFaultInput } from "./FaultBook.ts"
import { clearFaults, makeInject } from "./Inject.ts"
import type { Machine } from "./Machine.ts"
import { request } from "./Operations.ts"
import type { Answer } from "./Operations.ts"
import type { SimVCenterOptions } from "./Options.ts"
import { makeOtherPeople } from "./OtherPeople.ts"
import type { OtherPeople } from "./OtherPeople.ts"
import type { Runtime } from "./Runtime.ts"
import type { Traffic } from "./Traffic.ts"
import type { Ref, WireObject } from "./Wire.ts"

/** How many there are, for a judge's quick look. */
export interface Summary {
  readonly machines: number
  readonly templates: number
  readonly foreign: number
  readonly poweredOn: number
  /** Clones made since the start. */
  readonly created: number
  readonly tasksRunning: number
  readonly sessions: number
  readonly views: number
  readonly loginFailures: number
  readonly calls: number
  readonly bytes: number
  readonly objectsCollected: number
}

export interface SimVCenterHandle {
  readonly options: SimVCenterOptions
  /** One call of a client whose session cookie is `cookie`. */
  readonly request: (
    operation: VimOperation,
    args: WireObject,
    cookie: string | undefined
  ) => Effect.Effect<Answer, VimFault | VimUnreachable>
  /** The text behind a guest file's url, undefined when there is none or vCenter is down. */
  readonly download: (url: string) => string | undefined
  readonly inject: (fault: SimFaultInput) => Effect.Effect<void>
  /** Takes back the faults that still wait for their occasion. */
  readonly clearFaults: () => void
  /** True while some fault waits for such a call or task. */
  readonly awaits: (operation: VimOperation) => boolean
  readonly others: OtherPeople
  readonly addForeign: (options: ForeignOptions) => ReadonlyArray<Ref>
  /** Multiplies every further time of the vCenter, e.g. 0.01. */
  readonly scale: (factor: number) => void

  /** What follows is read straight from the state. Machines come as copies. */
  readonly machines: () => ReadonlyArray<Machine>
  /** Machines, no templates, whose annotation names that hatchery. */
  readonly owned: (hatchery: string) => ReadonlyArray<Machine>
  /**
   * Addresses of guests that are on, and fixed addresses of clones that are off, with the names of the machines that have them: more
   * than one name is a conflict. A template cannot be on, and its clones get addresses of their own.
   */
  readonly addresses: () => ReadonlyMap<string, ReadonlyArray<string>>
  /** The tasks on a machine that have not ended, by their `descriptionId`, e.g. `VirtualMachine.powerOff`. */
  readonly underWay: (machine: string) => ReadonlyArray<string>
  readonly summary: () => Summary
  readonly traffic: Traffic
}

const Owner = Schema.fromJsonString(Schema.Struct({ hatchery_name: Schema.String }))
const isOwner = Schema.decodeUnknownOption(Owner)

const isOwnedBy = (hatchery: string) => {
  const mention = JSON.stringify(hatchery)
  return ({ annotation, template }: Machine): boolean => {
    if (template || !annotation.startsWith("{") || !annotation.includes(mention)) return false
    const owner = isOwner(annotation)
    return owner._tag === "Some" && owner.value.hatchery_name === hatchery
  }
}

const addressesOf = (machine: Machine): ReadonlyArray<string> => {
  const shown = machine.guest.addresses.flat()
  const fixed = [...machine.fixed, ...(machine.customization?.addresses ?? [])].filter((ip) => ip !== undefined)
  return [...new Set([...shown, ...fixed])].filter((ip) => !ip.includes(":"))
}

const summarize = (core: Core): Summary => {
  const machines = core.tree.machines()
  const count = (test: (machine: Machine) => boolean) => machines.filter(test).length
  const { calls, bytesIn, bytesOut } = core.traffic.total()
  return {
    machines: count(({ template }) => !template),
    templates: count(({ template }) => template),
    foreign: count(({ origin }) => origin === "foreign"),
    poweredOn: count(({ power }) => power === "poweredOn"),
    created: core.tree.created(),
    tasksRunning: core.tasks.running(),
    sessions: core.sessions.count(),
    views: core.views.count(),
    loginFailures: core.sessions.failures(),
    calls,
    bytes: bytesIn + bytesOut,
    objectsCollected: core.traffic.objectsCollected()
  }
}

export const makeHandle = (core: Core, runtime: Runtime): SimVCenterHandle => {
  const inject = makeInject(core)
  const machines = () => core.tree.machines().map((machine) => ({ ...machine }))
  return {
    options: core.options,
    request: (operation, args, cookie) => request(core, operation, args, cookie),
    download: (url) => (core.now() < core.faults.downUntil() ? undefined : core.guests.offered(url)),
    inject: (fault) =>
      Schema.decodeEffect(SimFault)(fault).pipe(
        Effect.orDie,
        Effect.map((decoded) => inject(decoded))
      ),
    clearFaults: () => clearFaults(core),
    awaits: core.faults.awaits,
    others: makeOtherPeople(core),
    addForeign: (options) => addForeign(core, options),
    scale: runtime.scale,
    machines,
    owned: (hatchery) => machines().filter(isOwnedBy(hatchery)),
    addresses: () => {
      const holders = new Map<string, ReadonlyArray<string>>()
      for (const machine of core.tree.machines().filter(({ template }) => !template))
        for (const ip of addressesOf(machine)) holders.set(ip, [...(holders.get(ip) ?? []), machine.name])
      return holders
    },
    underWay: core.tasks.on,
    summary: () => summarize(core),
    traffic: core.traffic
  }
}
