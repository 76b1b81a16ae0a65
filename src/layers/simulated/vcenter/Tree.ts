/**
 * The inventory that is there before any machine: folders, a datacenter, a cluster with its root pool "Resources", hosts, networks and
 * datastores; and the place of each machine in it.
 */
import type { WireValue } from "../../vsphere/Vim.ts"
import { isMachine } from "./Machine.ts"
import type { Machine } from "./Machine.ts"
import type { Kind, ManagedObject } from "./ManagedObject.ts"
import { makeKind, row } from "./ManagedObject.ts"
import type { ObjectStore } from "./ObjectStore.ts"
import type { SimVCenterOptions } from "./Options.ts"
import { refuse } from "./Wire.ts"
import type { Ref } from "./Wire.ts"

/** An object whose properties are plain values. */
interface Place extends ManagedObject {
  readonly parent?: Ref
  readonly name: string
}

interface Folder extends Place {
  readonly children: Map<string, Ref>
}

interface Pool extends Place {
  /** Memory of the powered-on machines. */
  readonly usedMB: number
}

export interface Host extends Place {
  readonly connection: string
}

interface Datastore extends Place {
  readonly full: boolean
}

export interface Tree {
  readonly rootFolder: Ref
  readonly datacenter: Ref
  readonly vmFolder: Ref
  readonly pool: Ref
  readonly hosts: ReadonlyArray<Ref>
  readonly datastores: ReadonlyArray<Ref>
  readonly network: Ref
  /** Puts the machine into store and folder. Refuses with DuplicateName. Names are escaped already (`escapeName`). */
  readonly add: (machine: Machine) => void
  readonly remove: (machine: Machine) => void
  /** Refuses with DuplicateName. */
  readonly rename: (machine: Machine, name: string) => void
  readonly named: (name: string) => Machine | undefined
  readonly machines: () => ReadonlyArray<Machine>
  /** Counts a clone that is complete. */
  readonly countClone: () => void
  readonly created: () => number
  /** The memory that powered-on machines use has changed by so much. Refuses with InsufficientResourcesFault above the pool's. */
  readonly useMemory: (deltaMB: number) => void
  readonly setDatastoresFull: (full: boolean) => void
  readonly datastoreFull: () => boolean
  readonly setHostConnection: (host: Ref, connection: string) => void
}

const entity = ["ManagedEntity", "ExtensibleManagedObject"]

const placeRows = [
  row<Place>()("parent", "ManagedObjectReference", "parent", (place) => place.parent),
  row<Place>()("name", "string", "name")
]

const folderKind = makeKind<Folder>({
  name: "Folder",
  bases: entity,
  rows: [
    ...placeRows,
    row<Folder>()("childEntity", "ArrayOfManagedObjectReference", "children", (folder) => [...folder.children.values()])
  ]
})

/** A kind whose further properties never change. */
const fixedKind = (
  name: string,
  bases: ReadonlyArray<string>,
  properties: { readonly [path: string]: readonly [type: string, value: WireValue] },
  nodes: { readonly [path: string]: string } = {}
): Kind =>
  makeKind<Place>({
    name,
    bases: [...bases, ...entity],
    rows: [
      ...placeRows,
      ...Object.entries(properties).map(([path, [type, value]]) => row<Place>()(path, type, "ref", () => value))
    ],
    nodes
  })

const ref = (type: string, value: string): Ref => ({ type, value })

const refs = (values: ReadonlyArray<Ref>) => ["ArrayOfManagedObjectReference", values] as const

const bytes = (megabytes: number) => megabytes * 1_048_576

/** vCenter keeps these three characters of a name in escaped form. */
export const escapeName = (name: string): string =>
  name.replace(/[%/\\]/g, (character) => `%${character.charCodeAt(0).toString(16)}`)

export const makeTree = (store: ObjectStore, options: SimVCenterOptions): Tree => {
  const rootFolder = ref("Folder", "group-d1")
  const datacenter = ref("Datacenter", "datacenter-2")
  const vmFolder = ref("Folder", "group-v3")
  const hostFolder = ref("Folder", "group-h4")
  const datastoreFolder = ref("Folder", "group-s5")
  const networkFolder = ref("Folder", "group-n6")
  const cluster = ref("ClusterComputeResource", "domain-c7")
  const pool = ref("ResourcePool", "resgroup-8")
  const network = ref("Network", "network-9")
  const portgroup = ref("DistributedVirtualPortgroup", "dvportgroup-10")
  const dvs = ref("VmwareDistributedVirtualSwitch", "dvs-11")
  const hosts = Array.from({ length: options.hosts }, (_, index) => ref("HostSystem", `host-${20 + index}`))
  const datastores = options.datastores.map((_, index) => ref("Datastore", `datastore-${200 + index}`))
  const networks = [network, portgroup]

  const folder = (self: Ref, name: string, parent: Ref | undefined, children: ReadonlyArray<Ref>) =>
    store.put<Folder>({
      ref: self,
      kind: folderKind,
      name,
      ...(parent === undefined ? {} : { parent }),
      children: new Map(children.map((child) => [child.value, child]))
    })
  const place = (self: Ref, kind: Kind, name: string, parent: Ref) =>
    store.put<Place>({ ref: self, kind, name, parent })

  folder(rootFolder, "Datacenters", undefined, [datacenter])
  const machinesFolder = folder(vmFolder, "vm", datacenter, [])
  folder(hostFolder, "host", datacenter, [cluster])
  folder(datastoreFolder, "datastore", datacenter, datastores)
  folder(networkFolder, "network", datacenter, [...networks, dvs])
  place(
    datacenter,
    fixedKind("Datacenter", [], {
      vmFolder: ["ManagedObjectReference", vmFolder],
      hostFolder: ["ManagedObjectReference", hostFolder],
      datastoreFolder: ["ManagedObjectReference", datastoreFolder],
      networkFolder: ["ManagedObjectReference", networkFolder],
      datastore: refs(datastores),
      network: refs(networks)
    }),
    options.datacenter,
    rootFolder
  )
  place(
    cluster,
    fixedKind("ClusterComputeResource", ["ComputeResource"], {
      resourcePool: ["ManagedObjectReference", pool],
      host: refs(hosts),
      datastore: refs(datastores),
      network: refs(networks)
    }),
    options.cluster,
    hostFolder
  )
  place(network, fixedKind("Network", [], {}), options.network, networkFolder)
  place(
    portgroup,
    fixedKind(
      "DistributedVirtualPortgroup",
      ["Network"],
      {
        key: ["string", portgroup.value],
        "config.key": ["string", portgroup.value],
        "config.name": ["string", options.portgroup],
        "config.distributedVirtualSwitch": ["ManagedObjectReference", dvs]
      },
      { config: "DVPortgroupConfigInfo" }
    ),
    options.portgroup,
    networkFolder
  )
  place(
    dvs,
    fixedKind("VmwareDistributedVirtualSwitch", ["DistributedVirtualSwitch"], {
      uuid: ["string", "50 0b 1c 2d 3e 4f 50 61-72 83 94 a5 b6 c7 d8 e9"],
      portgroup: refs([portgroup])
    }),
    `DSwitch`,
    networkFolder
  )

  const hostKind = makeKind<Host>({
    name: "HostSystem",
    bases: entity,
    rows: [
      ...placeRows,
      row<Host>()("runtime.connectionState", "HostSystemConnectionState", "connection")
    ] as ReadonlyArray<ReturnType<ReturnType<typeof row<Host>>>>,
    nodes: { runtime: "HostRuntimeInfo" }
  })
  hosts.forEach((self, index) =>
    store.put<Host>({ ref: self, kind: hostKind, name: `esx-${index + 1}`, parent: cluster, connection: "connected" })
  )

  const datastoreKind = makeKind<Datastore>({
    name: "Datastore",
    bases: entity,
    rows: [
      ...placeRows,
      row<Datastore>()("summary.name", "string", "name"),
      row<Datastore>()("summary.capacity", "long", "ref", () => 10_995_116_277_760),
      row<Datastore>()("summary.freeSpace", "long", "full", (store) => (store.full ? 0 : 5_497_558_138_880)),
      row<Datastore>()("summary.accessible", "boolean", "ref", () => true)
    ],
    nodes: { summary: "DatastoreSummary" }
  })
  const stores = datastores.map((self, index) =>
    store.put<Datastore>({
      ref: self,
      kind: datastoreKind,
      name: options.datastores[index]!,
      parent: datastoreFolder,
      full: false
    })
  )

  const machines = (): ReadonlyArray<Machine> =>
    [...machinesFolder.children.values()].flatMap((child) => {
      const machine = store.find(child)
      return isMachine(machine) ? [machine] : []
    })
  const { cpuMHz, memoryMB, unreservedMB } = options.pool
  const poolRow = row<Pool>()
  const poolKind = makeKind<Pool>({
    name: "ResourcePool",
    bases: entity,
    rows: [
      ...placeRows,
      poolRow("owner", "ManagedObjectReference", "ref", () => cluster),
      poolRow("resourcePool", "ArrayOfManagedObjectReference", "ref", () => []),
      poolRow("runtime.memory.reservationUsed", "long", "ref", () => bytes(memoryMB - unreservedMB)),
      poolRow("runtime.memory.unreservedForPool", "long", "ref", () => bytes(unreservedMB)),
      poolRow("runtime.memory.unreservedForVm", "long", "ref", () => bytes(unreservedMB)),
      poolRow("runtime.memory.overallUsage", "long", "usedMB", ({ usedMB }) => bytes(usedMB)),
      poolRow("runtime.memory.maxUsage", "long", "ref", () => bytes(memoryMB)),
      poolRow("runtime.cpu.reservationUsed", "long", "ref", () => 0),
      poolRow("runtime.cpu.unreservedForPool", "long", "ref", () => cpuMHz),
      poolRow("runtime.cpu.unreservedForVm", "long", "ref", () => cpuMHz),
      poolRow("runtime.cpu.overallUsage", "long", "ref", () => 0),
      poolRow("runtime.cpu.maxUsage", "long", "ref", () => cpuMHz),
      poolRow("vm", "ArrayOfManagedObjectReference", "ref", () =>
        machines().flatMap((machine) => (machine.pool === undefined ? [] : [machine.ref]))
      )
    ],
    nodes: {
      runtime: "ResourcePoolRuntimeInfo",
      "runtime.memory": "ResourcePoolResourceUsage",
      "runtime.cpu": "ResourcePoolResourceUsage"
    }
  })
  const rootPool = store.put<Pool>({ ref: pool, kind: poolKind, name: "Resources", parent: cluster, usedMB: 0 })

  let created = 0
  const names = new Map<string, Machine>()
  const claimName = (machine: Machine, name: string) => {
    const holder = names.get(name)
    if (holder !== undefined && holder !== machine)
      refuse("DuplicateName", `The name '${name}' already exists.`, { name, object: holder.ref })
    names.set(name, machine)
  }

  return {
    rootFolder,
    datacenter,
    vmFolder,
    pool,
    hosts,
    datastores,
    network,
    machines,
    countClone: () => {
      created += 1
    },
    created: () => created,
    named: (name) => names.get(name),
    add: (machine) => {
      claimName(machine, machine.name)
      store.put(machine)
      machinesFolder.children.set(machine.ref.value, machine.ref)
      store.linked(machinesFolder, "childEntity", machine)
    },
    remove: (machine) => {
      names.delete(machine.name)
      machinesFolder.children.delete(machine.ref.value)
      store.unlinked(machinesFolder, "childEntity", machine)
      store.remove(machine)
    },
    rename: (machine, name) => {
      if (name === machine.name) return
      claimName(machine, name)
      names.delete(machine.name)
      store.update(machine, { name })
    },
    useMemory: (deltaMB) => {
      const usedMB = rootPool.usedMB + deltaMB
      if (deltaMB > 0 && usedMB > memoryMB)
        refuse("InsufficientResourcesFault", "The operation cannot be allowed at the current time: not enough memory.")
      store.update(rootPool, { usedMB })
    },
    setDatastoresFull: (full) => {
      for (const one of stores) store.update(one, { full })
    },
    datastoreFull: () => stores.some((one) => one.full),
    setHostConnection: (host, connection) => store.update(store.get(host) as Host, { connection })
  }
}
