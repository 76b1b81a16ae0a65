/** A plain client of the simulated vCenter for its tests: wire values in, wire values out. */
import { Effect } from "effect"
import type { VimFault, VimUnreachable } from "../../../../src/schema/Errors.ts"
import type { Vim, VimOperation, WireValue } from "../../../../src/layers/vsphere/Vim.ts"
import type { PartialOptions } from "../../../../src/layers/simulated/vcenter/Options.ts"
import { SimVCenter } from "../../../../src/layers/simulated/vcenter/SimVCenter.ts"
import { VimSimulated } from "../../../../src/layers/simulated/vcenter/VimSimulated.ts"
import type { Ref, WireObject } from "../../../../src/layers/simulated/vcenter/Wire.ts"

export const collector: Ref = { type: "PropertyCollector", value: "propertyCollector" }
const folder: Ref = { type: "Folder", value: "group-v3" }
const pool: Ref = { type: "ResourcePool", value: "resgroup-8" }
export const login = { user: "rookery@vsphere.local", password: "rookery" }

export interface Change {
  readonly name: string
  readonly op: string
  readonly val?: WireValue
}
export interface ObjectUpdate {
  readonly kind: string
  readonly obj: Ref
  readonly changeSet?: ReadonlyArray<Change>
  readonly missingSet?: ReadonlyArray<WireObject>
}
export interface UpdateSet {
  readonly version: string
  readonly filterSet: ReadonlyArray<{ readonly filter: Ref; readonly objectSet: ReadonlyArray<ObjectUpdate> }>
  readonly truncated?: boolean
}

/** The plain value inside `{ _type, _value }`. */
export const plain = (value: WireValue): WireValue =>
  typeof value === "object" && "_value" in value ? value["_value"] : value

/** No jitter, no noise: times and addresses can be stated. */
export const exact = { guestNoise: 0, timings: { jitter: 0 } }

/** Every object update of an answer, whichever filter it is of. */
export const updatesOf = (answer: UpdateSet | undefined): ReadonlyArray<ObjectUpdate> =>
  answer?.filterSet.flatMap(({ objectSet }) => objectSet) ?? []

/** The changes of one object in an answer, by property, in plain values. */
export const changesOf = (answer: UpdateSet | undefined, ref: Ref): Readonly<Record<string, WireValue>> =>
  Object.fromEntries(
    updatesOf(answer)
      .filter(({ obj }) => obj.value === ref.value)
      .flatMap(({ changeSet }) => changeSet ?? [])
      .map(({ name, val }) => [name, plain(val)])
  )

export const machinePaths = [
  "name",
  "config.annotation",
  "config.instanceUuid",
  "config.changeVersion",
  "runtime.powerState",
  "guest.ipAddress",
  "guest.guestOperationsReady"
]

/** A specification of all machines below a container's view, and of their recent tasks. */
export const viewSpec = (view: Ref, paths: ReadonlyArray<string> = machinePaths): WireObject => ({
  propSet: [
    { type: "VirtualMachine", pathSet: paths },
    { type: "Task", pathSet: ["info.state", "info.error", "info.result"] }
  ],
  objectSet: [
    {
      obj: view,
      skip: true,
      selectSet: [
        {
          _type: "TraversalSpec",
          name: "view",
          type: "ContainerView",
          path: "view",
          skip: false,
          selectSet: [
            { _type: "TraversalSpec", name: "tasks", type: "VirtualMachine", path: "recentTask", skip: false }
          ]
        }
      ]
    }
  ]
})

/** The name of the vSphere fault, undefined when the call got no answer. */
export const faultOf = (error: VimFault | VimUnreachable): string | undefined =>
  "fault" in error ? error.fault : undefined

export const clientOver = (vim: Vim["Service"]) => {
  const call = (operation: VimOperation, args: WireObject) => vim.call(operation, args)
  type CallError = Effect.Error<ReturnType<typeof call>>

  const signIn = (password = login.password) =>
    call("Login", { _this: { type: "SessionManager", value: "SessionManager" }, userName: login.user, password })

  const read = Effect.fnUntraced(function* (ref: Ref, paths: ReadonlyArray<string>) {
    const spec = { propSet: [{ type: ref.type, pathSet: paths }], objectSet: [{ obj: ref }] }
    const answer = (yield* call("RetrievePropertiesEx", { _this: collector, specSet: [spec], options: {} })) as {
      readonly objects: ReadonlyArray<{
        readonly propSet: ReadonlyArray<Change>
        readonly missingSet?: ReadonlyArray<WireObject>
      }>
    }
    return Object.fromEntries(answer.objects[0]!.propSet.map(({ name, val }) => [name, plain(val)]))
  })

  const wait = (version: string, options: WireObject = { maxWaitSeconds: 0 }, _this = collector) =>
    call("WaitForUpdatesEx", { _this, version, options }) as Effect.Effect<UpdateSet | undefined, CallError>

  return {
    call,
    download: vim.download,
    signIn,
    read,
    wait,
    view: (types: ReadonlyArray<string> = ["VirtualMachine"]) =>
      call("CreateContainerView", {
        _this: { type: "ViewManager", value: "ViewManager" },
        container: { type: "Datacenter", value: "datacenter-2" },
        type: types,
        recursive: true
      }) as Effect.Effect<Ref, CallError>,
    filter: (spec: WireObject, _this = collector) => call("CreateFilter", { _this, spec, partialUpdates: false }),
    /** Starts a task and answers its reference. */
    task: (operation: VimOperation, _this: Ref, args: WireObject = {}) =>
      call(operation, { _this, ...args }) as Effect.Effect<Ref, CallError>,
    taskInfo: (task: Ref) => read(task, ["info.state", "info.error", "info.result"]),
    /** The fault name of a task that failed. */
    taskFault: (task: Ref) =>
      Effect.map(read(task, ["info.error"]), (info) => (info["info.error"] as { fault: { _type: string } }).fault._type)
  }
}

export type Client = ReturnType<typeof clientOver>

/** A client of its own session in this process; a call takes no time. */
export const connect = (vcenter: SimVCenter["Service"]): Effect.Effect<Client> =>
  VimSimulated.make({ latencyMs: 0 }).pipe(Effect.provideService(SimVCenter, vcenter), Effect.map(clientOver))

/** A vCenter and a client of it that is logged in. */
export const world = Effect.fnUntraced(function* (options: PartialOptions = exact) {
  const vcenter = yield* SimVCenter.make(options)
  const client = yield* connect(vcenter)
  yield* client.signIn()
  return { vcenter, client, template: vcenter.machines().find(({ template }) => template)!.ref }
})

/** The arguments of a CloneVM_Task as a hatchery sends them. */
export const cloneArgs = (name: string, options: { ip?: string; config?: WireObject; maps?: number } = {}) => ({
  folder,
  name,
  spec: {
    location: { pool, diskMoveType: "moveChildMostDiskBacking" },
    template: false,
    config: { annotation: `{"hatchery_name":"rook"}`, ...options.config },
    customization: {
      identity: {
        _type: "CustomizationLinuxPrep",
        hostName: { _type: "CustomizationVirtualMachineName" },
        domain: ""
      },
      globalIPSettings: {},
      nicSettingMap: Array.from({ length: options.maps ?? 1 }, () => ({
        adapter: {
          ip:
            options.ip === undefined
              ? { _type: "CustomizationDhcpIpGenerator" }
              : { _type: "CustomizationFixedIp", ipAddress: options.ip }
        }
      }))
    },
    powerOn: true
  }
})
