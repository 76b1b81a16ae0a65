import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer, Stream } from "effect"
import { TestClock } from "effect/testing"
import { setFlagsFromString } from "node:v8"
import { runInNewContext } from "node:vm"
import { Registry } from "../../src/actors/Registry.ts"
import { WorkerModels } from "../../src/actors/models/WorkerModels.ts"
import { Signals } from "../../src/actors/Signals.ts"
import { send } from "../../src/actors/Vm.ts"
import { annotate } from "../../src/actors/vm/annotate.ts"
import type { Claim, Vm } from "../../src/actors/vm/State.ts"
import type { Env } from "../../src/actors/vm/table.ts"
import * as Ids from "../../src/layers/Ids.ts"
import * as Capacity from "../../src/layers/memory/Capacity.ts"
import { layerOf } from "../../src/layers/memory/EventLog.ts"
import * as IpPool from "../../src/layers/memory/IpPool.ts"
import { defaults } from "../../src/schema/Config.ts"
import type { JobWithModel } from "../../src/schema/Job.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import { Capacity as Ledger } from "../../src/services/Capacity.ts"
import { Cds } from "../../src/services/Cds.ts"
import { Guest } from "../../src/services/Guest.ts"
import { Inventory } from "../../src/services/Inventory.ts"
import { IpPool as Addresses } from "../../src/services/IpPool.ts"
import { Settings } from "../../src/services/Settings.ts"
import { VSphere } from "../../src/services/VSphere.ts"

const machines = 10_000
const mostBytes = 8 * 1024
const name = "rookery"

setFlagsFromString("--expose-gc")
const collect = runInNewContext("gc") as () => void

/** Bytes in use once nothing can be collected any more. */
const heap = Effect.sync(() => {
  for (let round = 0; round < 3; round++) collect()
  return process.memoryUsage().heapUsed
})

const settings = {
  ...defaults,
  cds: { ...defaults.cds, name },
  vsphere: {
    ...defaults.vsphere,
    networks: [{ ipRange: "10.0.0.0/16", gateway: "10.0.0.1", subnetMask: "255.255.0.0" }]
  }
}

const idOf = (n: number) => `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`
const refOf = (n: number) => `vm-${n}`
const ipOf = (n: number) => `10.0.${n >> 8}.${n & 255}`

const claimOf = (n: number): Claim => ({
  jobId: `job-${n}`,
  region: "default",
  projectKey: "PROJ",
  workerName: `worker-${n}`,
  modelName: "debian",
  login: undefined,
  size: undefined,
  startedAt: 0
})

/** A machine whose worker works since the start of the clock. */
const working = (n: number, facts: MachineFacts | undefined): Vm => ({
  id: idOf(n),
  ref: refOf(n),
  template: "debian12",
  poolName: `provision-v2-${n}`,
  ip: ipOf(n),
  generation: 3,
  size: { cpus: 2, memoryMB: 4096 },
  createdAt: 0,
  facts,
  state: { _tag: "Running", claim: claimOf(n), signedIn: true, resumed: false },
  since: 0,
  deadline: settings.times.workerTtlMs,
  reason: undefined
})

const env: Env = { now: 0, times: settings.times, hatchery: name, instance: idOf(0) }

/** What the mirror of the inventory holds of it anyway. */
const factsOf = (n: number): MachineFacts => ({
  ref: refOf(n),
  unreadable: [],
  name: `worker-${n}`,
  id: idOf(n),
  annotation: annotate(working(n, undefined), { state: "running", claim: claimOf(n) }, env),
  changeVersion: "1",
  template: false,
  power: "poweredOn",
  connection: "connected",
  question: undefined,
  numCpu: 2,
  memoryMB: 4096,
  createdAt: 0,
  bootedAt: 0,
  resourcePool: undefined,
  guest: {
    ipAddress: ipOf(n),
    addresses: [[ipOf(n)]],
    operationsReady: true,
    toolsRunning: true,
    customization: "SUCCEEDED"
  }
})

/** vCenter and CDS that do what they are asked at once, and count it. */
const makeDoubles = () => {
  const done = { recorded: 0, failed: new Set<string>(), destroyed: new Set<string>() }
  const gone: { tell: (ref: string) => Effect.Effect<void> } = { tell: () => Effect.void }
  const layer = Layer.mergeAll(
    Layer.mock(VSphere)({
      reconfigure: () => Effect.sync(() => void done.recorded++),
      powerOff: () => Effect.void,
      destroy: (ref) => {
        done.destroyed.add(ref)
        return gone.tell(ref)
      }
    }),
    Layer.mock(Cds)({
      job: (_, id) => Effect.succeed({ job: { id, status: "Building", hatcheryName: name } } as JobWithModel),
      fail: (_, id) => Effect.sync(() => void done.failed.add(id))
    }),
    Layer.mock(Guest)({}),
    Layer.mock(Inventory)({
      certain: Effect.void,
      changes: Stream.empty,
      doubt: Effect.undefined,
      resources: Effect.succeed({ cpu: undefined, memory: undefined, freeSpace: undefined })
    })
  )
  return { done, gone, layer }
}

const registryOver = (doubles: Layer.Layer<VSphere | Cds | Guest | Inventory>) =>
  Registry.layer.pipe(
    Layer.provide(WorkerModels.layer),
    Layer.provideMerge(Layer.mergeAll(IpPool.layer, Capacity.layer, layerOf(100), Signals.layer, Ids.layer)),
    Layer.provideMerge(doubles),
    Layer.provide(Layer.succeed(Settings, settings)),
    Layer.fresh
  )

describe("ten thousand machines", () => {
  it.effect(
    `live in ${mostBytes / 1024} KB each at most, and are all reaped when their time is over`,
    () => {
      const { done, gone, layer } = makeDoubles()
      return Effect.gen(function* () {
        const registry = yield* Registry
        const mirror = Array.from({ length: machines }, (_, n) => factsOf(n + 256))
        gone.tell = (ref) =>
          Effect.suspend(() => {
            const handle = registry.machines.get(idOf(Number(ref.slice(3))))
            return handle === undefined ? Effect.void : send(handle, { _tag: "Gone" })
          })
        yield* TestClock.adjust("1 second")
        const before = yield* heap
        for (const [index, facts] of mirror.entries()) yield* registry.spawn(working(index + 256, facts))
        yield* TestClock.adjust("1 minute")
        const bytes = ((yield* heap) - before) / machines
        console.log(`bytes per idle actor, its state included: ${Math.round(bytes)}`)
        assert.strictEqual(registry.machines.size, machines)
        assert.isAtMost(bytes, mostBytes)

        yield* TestClock.adjust("118 minutes")
        assert.strictEqual(done.destroyed.size, 0)
        assert.strictEqual(registry.machines.size, machines)
        for (let second = 0; second < 90; second++) yield* TestClock.adjust("1 second")
        assert.strictEqual(done.destroyed.size, machines)
        assert.strictEqual(done.failed.size, machines)
        assert.strictEqual(done.recorded, machines)
        assert.strictEqual(registry.machines.size, 0)
        assert.deepInclude(yield* (yield* Addresses).count, { leased: 0 })
        assert.deepInclude(yield* (yield* Ledger).used, { workers: 0 })
      }).pipe(Effect.provide(registryOver(layer)))
    },
    60_000
  )
})
