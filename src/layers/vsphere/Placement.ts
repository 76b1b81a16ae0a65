/**
 * Where machines are put: datacenter, folder, cluster, resource pool, host, datastore and network, found once by the names in the configuration, each
 * the only one of its kind where no name is given (vsphere-behaviour 2.3). What a name does not settle is told with the candidates.
 */
import { Context, Effect, Layer, Semaphore } from "effect"
import { ConfigInvalid } from "../../schema/Errors.ts"
import type { ConfigProblem, VimError } from "../../schema/Errors.ts"
import { Settings } from "../../services/Settings.ts"
import type { Entity } from "./entities.ts"
import { entitiesBelow, pathOf, readReference } from "./entities.ts"
import type { Network } from "./networks.ts"
import { readNetwork } from "./networks.ts"
import type { VimCalls } from "./retrieval.ts"
import { VimSession } from "./VimSession.ts"
import type { Ref } from "./wire/Values.ts"

export interface Placed {
  readonly datacenter: Ref
  readonly folder: Ref
  readonly pool: Ref
  /** Undefined: vCenter chooses one of the pool's. */
  readonly host: Ref | undefined
  readonly datastore: Ref
  readonly network: Network
}

type PlacementError = VimError | ConfigInvalid

export class Placement extends Context.Service<
  Placement,
  {
    readonly datacenter: Effect.Effect<Ref, PlacementError>
    /** Looked up on first use and kept; all problems of the configuration at once. */
    readonly current: Effect.Effect<Placed, PlacementError>
    /** Something of it was not there any more: look again on the next use. */
    readonly forget: Effect.Effect<void>
  }
>()("rookery/layers/vsphere/Placement") {
  static readonly layer: Layer.Layer<Placement, never, VimSession | Settings> = Layer.effect(
    Placement,
    Effect.gen(function* () {
      const vim = yield* VimSession
      const { vsphere } = yield* Settings
      const datacenter = yield* remembered(findDatacenter(vim, vsphere.datacenter))
      const placed = yield* remembered(Effect.flatMap(datacenter.get, (found) => find(vim, vsphere, found)))
      return Placement.of({
        datacenter: datacenter.get,
        current: placed.get,
        forget: Effect.andThen(datacenter.forget, placed.forget)
      })
    })
  )
}

/** The first success of a look-up, found by one fiber while the others wait. */
const remembered = <A, E>(lookUp: Effect.Effect<A, E>) =>
  Effect.map(Semaphore.make(1), (one) => {
    let found: A | undefined
    return {
      get: one.withPermits(1)(
        Effect.suspend(() =>
          found === undefined
            ? Effect.tap(lookUp, (value) => Effect.sync(() => (found = value)))
            : Effect.succeed(found)
        )
      ),
      forget: Effect.sync(() => void (found = undefined))
    }
  })

const findDatacenter = Effect.fnUntraced(function* (vim: VimCalls, name: string) {
  const { rootFolder } = yield* vim.content
  const entities = yield* entitiesBelow(vim, rootFolder, ["Datacenter"])
  const choice = choose("datacenterString", "datacenter", name, [...entities.values()].map(byName))
  return "ref" in choice ? choice.ref : yield* new ConfigInvalid({ problems: [choice] })
})

const find = Effect.fnUntraced(function* (
  vim: VimCalls,
  vsphere: Settings["Service"]["vsphere"],
  datacenter: Ref
): Effect.fn.Return<Placed, PlacementError> {
  const types = vsphere.host === "" ? placeTypes : [...placeTypes, "HostSystem"]
  const entities = yield* entitiesBelow(vim, datacenter, types)
  const ofTypes = (...types: ReadonlyArray<string>) =>
    [...entities.values()].filter(({ ref }) => types.includes(ref.type))
  const folder = yield* chooseFolder(vim, vsphere.folder, datacenter, entities)
  const cluster = chooseNamed("cluster", "cluster", vsphere.cluster, ofTypes(...computeTypes).map(byName))
  const pools = within(refOf(cluster), entities, poolsOf(entities, vsphere.resourcePool))
  const pool = choose("resourcePool", "resource pool", vsphere.resourcePool, pools)
  const compute = isProblem(pool) ? refOf(cluster) : computeOf(pool.ref, entities)
  const hosts = within(compute, entities, ofTypes("HostSystem").map(byName))
  const host = chooseNamed("host", "host of that resource pool", vsphere.host, hosts)
  const datastore = choose("datastoreString", "datastore", vsphere.datastore, ofTypes("Datastore").map(byName))
  const network = choose("networkString", "network", vsphere.network, ofTypes(...networkTypes).map(byName))
  const problems = [folder, cluster, pool, host, datastore, network].filter(isProblem)
  if (isProblem(folder) || isProblem(pool) || isProblem(datastore) || isProblem(network) || problems.length > 0)
    return yield* new ConfigInvalid({ problems })
  return {
    datacenter,
    folder: folder.ref,
    pool: pool.ref,
    host: refOf(host),
    datastore: datastore.ref,
    network: yield* readNetwork(vim, network.ref, network.names[0] ?? "")
  }
})

const networkTypes = ["Network", "DistributedVirtualPortgroup", "OpaqueNetwork"]
const computeTypes = ["ComputeResource", "ClusterComputeResource"]
const placeTypes = ["Folder", ...computeTypes, "ResourcePool", "Datastore", ...networkTypes]

/** Something that a setting may name, in each of the ways it may be written; `label` is the most telling one. */
interface Candidate {
  readonly ref: Ref
  readonly label: string
  readonly names: ReadonlyArray<string>
}

const byName = ({ ref, name }: Entity): Candidate => ({ ref, label: name, names: [name] })

const chooseFolder = Effect.fnUntraced(function* (
  vim: VimCalls,
  wanted: string,
  datacenter: Ref,
  entities: ReadonlyMap<string, Entity>
) {
  const root = yield* readReference(vim, datacenter, "vmFolder")
  if (wanted === "") return { ref: root, label: "", names: [] }
  const candidates = [...entities.values()]
    .filter(({ ref }) => ref.type === "Folder")
    .flatMap((entity) => {
      const path = pathOf(entity, entities, root)
      return path === undefined ? [] : [{ ref: entity.ref, label: path, names: [path, entity.name] }]
    })
  return choose("folder", "machine folder", wanted, candidates)
})

/**
 * Each cluster's root pool is called `Resources`: it may be named by its cluster. Where no pool is named only root pools are candidates.
 */
const poolsOf = (entities: ReadonlyMap<string, Entity>, wanted: string): ReadonlyArray<Candidate> =>
  [...entities.values()]
    .filter(({ ref }) => ref.type === "ResourcePool")
    .flatMap((entity) => {
      const parent = entities.get(entity.parent ?? "")
      const isRoot = parent !== undefined && parent.ref.type !== "ResourcePool"
      if (!isRoot && wanted === "") return []
      const label = pathOf(entity, entities, undefined) ?? entity.name
      return [{ ref: entity.ref, label, names: [label, entity.name, ...(isRoot ? [parent.name] : [])] }]
    })

/** The compute resource that a pool or host belongs to: hosts stand right below it, pools below each other. */
const computeOf = (of: Ref, entities: ReadonlyMap<string, Entity>): Ref | undefined => {
  let at = entities.get(of.value)
  while (at !== undefined && !computeTypes.includes(at.ref.type)) at = entities.get(at.parent ?? "")
  return at?.ref
}

/** What belongs to that compute resource; all where none is settled, so that one problem does not bring the next. */
const within = (
  compute: Ref | undefined,
  entities: ReadonlyMap<string, Entity>,
  candidates: ReadonlyArray<Candidate>
): ReadonlyArray<Candidate> =>
  compute === undefined ? candidates : candidates.filter(({ ref }) => computeOf(ref, entities)?.value === compute.value)

const isProblem = (choice: Candidate | ConfigProblem | undefined): choice is ConfigProblem =>
  choice !== undefined && "rule" in choice

const refOf = (choice: Candidate | ConfigProblem | undefined): Ref | undefined =>
  choice === undefined || isProblem(choice) ? undefined : choice.ref

/** What need not be settled: undefined where no name is given. */
const chooseNamed = (key: string, kind: string, wanted: string, candidates: ReadonlyArray<Candidate>) =>
  wanted === "" ? undefined : choose(key, kind, wanted, candidates)

const mostListed = 20

const choose = (
  key: string,
  kind: string,
  wanted: string,
  candidates: ReadonlyArray<Candidate>
): Candidate | ConfigProblem => {
  const named = wanted === "" ? candidates : candidates.filter(({ names }) => names.includes(wanted))
  const [only, another] = named
  if (only !== undefined && another === undefined) return only
  const listed = (only === undefined ? candidates : named).map(({ label }) => label).toSorted()
  const list = listed.slice(0, mostListed).join(", ") + (listed.length > mostListed ? ", ..." : "")
  const problem =
    only === undefined
      ? `vCenter shows no such ${kind} to this account; it shows ${list === "" ? "none" : list}`
      : wanted === ""
        ? `there is more than one ${kind}, so one has to be named: ${list}`
        : `more than one ${kind} has this name: ${list}`
  return { path: `hatchery.vsphere.${key}`, value: wanted, rule: problem }
}
