/**
 * CloneVM_Task. The new machine shows under its name as soon as the task runs, without configuration; at the end of the copy it is
 * configured, and with `powerOn` it is also booted before the task succeeds.
 */
import { Effect, Exit } from "effect"
import type { WireValue } from "../../../vsphere/Vim.ts"
import * as Args from "../Args.ts"
import type { Core } from "../Core.ts"
import { guestOff, machineKind } from "../Machine.ts"
import type { Card, Customization, Machine } from "../Machine.ts"
import { firstCardKey, macOf } from "../Estate.ts"
import { isLive, mustBeReachable, nextVersion, powerOn } from "../Power.ts"
import { attempt } from "../Task.ts"
import { escapeName } from "../Tree.ts"
import { refuse } from "../Wire.ts"
import type { Ref, WireObject } from "../Wire.ts"
import { machineOf, refArg } from "./Handler.ts"
import type { Handler } from "./Handler.ts"
import { readConfig, withDisk } from "./ReconfigureOperation.ts"

interface ClonePlan {
  readonly source: Machine
  readonly name: string
  readonly pool: Ref
  readonly datastore: Ref
  /** Undefined: the cluster chooses. */
  readonly host: Ref | undefined
  /** Its disk becomes a child of the source's. */
  readonly shares: boolean
  readonly powerOn: boolean
  readonly template: boolean
  readonly config: WireValue
  readonly customization: WireValue
  readonly deviceChange: ReadonlyArray<WireObject>
}

const readPlan = (core: Core, source: Machine, name: string, spec: WireObject): ClonePlan => {
  const location = Args.object(spec["location"])
  const config = Args.object(spec["config"])
  const pool = Args.ref(location["pool"]) ?? source.pool
  if (pool === undefined) Args.invalidArgument("spec.location.pool", "A clone of a template needs a resource pool.")
  const datastore = Args.ref(location["datastore"]) ?? source.datastore
  const snapshot = Args.ref(spec["snapshot"])
  if (snapshot !== undefined && snapshot.value !== source.snapshot?.value)
    refuse("ManagedObjectNotFound", "The snapshot is not one of the source.", { obj: snapshot })
  const shares = Args.text(location["diskMoveType"]) === "createNewChildDiskBacking"
  if (shares && snapshot === undefined)
    Args.invalidArgument("spec.location.diskMoveType", "A child disk needs a snapshot to descend from.")
  core.store.get(pool!)
  core.store.get(datastore)
  const host = Args.ref(location["host"])
  if (host !== undefined) core.store.get(host)
  return {
    source,
    name: name === "" ? Args.invalidArgument("name", "A name cannot be empty.") : escapeName(name),
    pool: pool!,
    datastore,
    host,
    shares,
    powerOn: Args.boolean(spec["powerOn"]),
    template: Args.boolean(spec["template"]),
    config,
    customization: spec["customization"],
    deviceChange: [...Args.list(location["deviceChange"]), ...Args.list(config["deviceChange"])].map(Args.object)
  }
}

/** The machine as it shows while it is being copied. */
const embryo = (core: Core, { source, name, pool, datastore, host, shares }: ClonePlan): Machine => {
  const id = core.nextId()
  const { hosts } = core.tree
  return {
    ...source,
    ref: { type: "VirtualMachine", value: `vm-${id}` },
    kind: machineKind,
    name,
    parent: core.tree.vmFolder,
    configured: false,
    instanceUuid: core.uuid(),
    uuid: core.uuid(),
    template: false,
    cards: source.cards.map((card, index) => ({ ...card, mac: macOf(id, index) })),
    createdAt: core.now(),
    power: "poweredOff",
    connection: "connected",
    question: undefined,
    bootedAt: undefined,
    host: host ?? hosts[id % hosts.length]!,
    pool,
    datastore,
    diskShared: shares || source.diskShared,
    snapshot: undefined,
    guest: guestOff,
    recentTasks: [],
    origin: "clone",
    customization: undefined,
    fixed: [],
    busy: undefined,
    ...nextVersion(core)
  }
}

const isCard = (device: WireObject): boolean => {
  const type = Args.text(device["_type"]) ?? ""
  return /^Virtual(Ethernet|Vmxnet|E1000|PCNet|Sriov)/.test(type)
}

/** The first device key of a network card that no card has. */
const freeKey = (cards: ReadonlyArray<Card>): number => {
  let key = firstCardKey
  while (cards.some((card) => card.key === key)) key++
  return key
}

/** Cards after `edit`, `remove` and `add`; an edit with the base type VirtualEthernetCard keeps the card's own type. */
const withDevices = (id: number, cards: ReadonlyArray<Card>, changes: ReadonlyArray<WireObject>): ReadonlyArray<Card> =>
  changes.reduce<ReadonlyArray<Card>>((current, change) => {
    const device = Args.object(change["device"])
    if (!isCard(device)) return current
    const key = Args.number(device["key"])
    const type = Args.text(device["_type"])!
    const backing = device["backing"]
    if (Args.text(change["operation"]) === "add") {
      const free = freeKey(current)
      return [...current, { key: free, type, mac: macOf(id, free - firstCardKey), backing }]
    }
    if (!current.some((card) => card.key === key))
      return refuse("InvalidDeviceSpec", `There is no device with key ${key}.`, { deviceIndex: 0 })
    if (Args.text(change["operation"]) === "remove") return current.filter((card) => card.key !== key)
    const kept = (card: Card) => (type === "VirtualEthernetCard" ? card.type : type)
    return current.map((card) =>
      card.key === key ? { ...card, type: kept(card), backing: backing ?? card.backing } : card
    )
  }, cards)

/** Refuses with NicSettingMismatch unless there is one mapping per card. */
const readCustomization = (spec: WireValue, cards: ReadonlyArray<Card>): Customization | undefined => {
  if (spec === undefined) return undefined
  const { identity, nicSettingMap } = Args.object(spec)
  const maps = Args.list(nicSettingMap)
  if (maps.length !== cards.length)
    refuse("NicSettingMismatch", "The number of network adapters in the customization differs from the machine's.", {
      numberOfNicsInSpec: maps.length,
      numberOfNicsInVM: cards.length
    })
  const hostName = Args.object(Args.object(identity)["hostName"])
  return {
    hostName: Args.text(hostName["name"]),
    addresses: maps.map((map) => {
      const ip = Args.object(Args.object(Args.object(map)["adapter"])["ip"])
      return Args.text(ip["ipAddress"])
    })
  }
}

const configure = (core: Core, machine: Machine, plan: ClonePlan) => {
  const config = readConfig(plan.config, machine.coresPerSocket, machine.cpus)
  const taken = core.tree.machines().find(({ instanceUuid }) => instanceUuid === config.instanceUuid)
  if (taken !== undefined)
    Args.invalidArgument("spec.config.instanceUuid", `The instance UUID is the one of '${taken.name}'.`)
  core.store.update(machine, {
    ...config,
    configured: true,
    template: plan.template,
    createdAt: core.now(),
    cards: withDevices(core.nextId(), machine.cards, plan.deviceChange),
    ...withDisk(machine, plan.deviceChange),
    ...nextVersion(core)
  })
  core.tree.countClone()
}

const customize = (core: Core, machine: Machine, plan: ClonePlan) => {
  const customization = readCustomization(plan.customization, machine.cards)
  if (customization === undefined) return
  core.store.update(machine, { customization, guest: { ...machine.guest, customization: "PENDING" } })
}

export const cloneTask: Handler = (core, call) => {
  const source = machineOf(core, call.self)
  core.store.get(refArg(call, "folder"))
  const plan = readPlan(core, source, Args.text(call.args["name"]) ?? "", Args.object(call.args["spec"]))
  return core.tasks.start({
    descriptionId: "VirtualMachine.clone",
    entity: source,
    operation: call.operation,
    exclusive: false,
    cancelable: true,
    work: Effect.fnUntraced(function* (pause) {
      const machine = yield* attempt(() => {
        mustBeReachable(source)
        if (core.tree.datastoreFull()) refuse("NoDiskSpace", "Insufficient disk space on the datastore.")
        const made = embryo(core, plan)
        core.tree.add(made)
        return made
      })
      const copied = Effect.andThen(
        pause(core.timings().cloneMs),
        attempt(() => configure(core, machine, plan))
      )
      yield* copied.pipe(
        Effect.onExit((exit) =>
          Effect.sync(() => {
            if (Exit.isFailure(exit) && isLive(core, machine)) core.tree.remove(machine)
          })
        )
      )
      yield* attempt(() => customize(core, machine, plan))
      if (!plan.powerOn) return machine.ref
      yield* pause(core.timings().powerOnMs)
      yield* attempt(() => isLive(core, machine) && powerOn(core, machine))
      return machine.ref
    })
  })
}
