/** Seed 001 section 13, with the names of later heads (vsphere-behaviour 12): what a dashboard or an alert reads of a hatchery. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, type Scope } from "effect"
import { PrometheusMetrics } from "effect/observability"
import { TestClock } from "effect/testing"
import { Parts } from "../../src/actors/Parts.ts"
import * as Telemetry from "../../src/layers/telemetry/Metrics.ts"
import type { NetworkSettings } from "../../src/schema/Settings.ts"
import * as Metrics from "../../src/services/Metrics.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { makeWorld, name, seeded, start, type World, type WorldOptions } from "../support/world.ts"

type Process = Effect.Success<ReturnType<typeof start>>

/** What `/mon/metrics` answers: by series, that is name and labels as they are printed. vCenter is asked for disks that are new. */
const scrape = ({ context }: Process) =>
  Effect.gen(function* () {
    yield* Effect.all([Context.get(context, Monitor).gauges, TestClock.adjust("1 second")], { concurrency: 2 })
    const text = PrometheusMetrics.formatUnsafe(yield* Effect.context<never>())
    const lines = text.split("\n").filter((line) => line !== "" && !line.startsWith("#"))
    return new Map(
      lines.map((line) => {
        const at = line.lastIndexOf(" ")
        return [line.slice(0, at), Number(line.slice(at + 1))] as const
      })
    )
  })

type Scrape = Effect.Success<ReturnType<typeof scrape>>

const common = `service_name="${name}",service_type="hatchery"`

const value = (scraped: Scrape, metric: string) => scraped.get(`cds_hatchery_${metric}{${common}}`)

/** The names that have a series. */
const names = (scraped: Scrape) => new Set([...scraped.keys()].map((series) => series.split("{")[0]!))

/** A query over series without further labels: numbers, names, and the four operators that stand between them, `*` and `/` first. */
const query = (scraped: Scrape, text: string): number | boolean => {
  const tokens = text.trim().split(/\s+/)
  const operand = (token: string): number => {
    const found = Number.isNaN(Number(token)) ? scraped.get(`${token}{${common}}`) : Number(token)
    assert.isDefined(found, `${token} has no series`)
    return found!
  }
  const compare = tokens.findIndex((token) => token === "<" || token === ">")
  if (compare >= 0) {
    const [left, right] = [tokens.slice(0, compare), tokens.slice(compare + 1)].map((side) =>
      query(scraped, side.join(" "))
    )
    return tokens[compare] === "<" ? left! < right! : left! > right!
  }
  const terms: Array<number> = []
  let operator = "+"
  for (const token of tokens) {
    if (/^[-+*/]$/.test(token)) operator = token
    else if (operator === "*" || operator === "/") {
      const last = terms.pop()!
      terms.push(operator === "*" ? last * operand(token) : last / operand(token))
    } else terms.push(operator === "-" ? -operand(token) : operand(token))
  }
  return terms.reduce((sum, term) => sum + term, 0)
}

/** The series of each machine's CPUs, with its value. */
const perMachine = (scraped: Scrape) =>
  [...scraped].flatMap(([series, one]) =>
    series.startsWith("cds_hatchery_vsphere_worker_vcpus{") ? [`${series} ${one}`] : []
  )

/** The disk of each machine, GB. */
const disks = (scraped: Scrape) =>
  [...scraped].flatMap(([series, one]) => (series.startsWith("cds_hatchery_vsphere_worker_disk_gb{") ? [one] : []))

const wantedOf = ({ vcenter }: World) =>
  vcenter
    .owned(name)
    .map(({ name: machine }) => `worker_name="${machine}",worker_model="debian12"`)
    .map((labels) => `cds_hatchery_vsphere_worker_vcpus{${common},${labels}} 2`)

/** A hatchery of two ready machines among those of others, with its metrics in a registry of their own. */
const scene = <E>(
  title: string,
  { networks, ...options }: WorldOptions & { readonly networks?: ReadonlyArray<NetworkSettings> },
  body: (world: World, process: Process) => Effect.Effect<void, E, Scope.Scope>
) =>
  it.effect(title, () =>
    Effect.gen(function* () {
      const made = yield* makeWorld(options)
      const { vsphere } = made.settings
      const settings = { ...made.settings, vsphere: { ...vsphere, networks: networks ?? vsphere.networks } }
      const world = { ...made, settings }
      const process = yield* start(world)
      yield* TestClock.adjust("4 minutes")
      yield* body(world, process)
    }).pipe(seeded(title), Effect.provide(Telemetry.layer(name)))
  )

const MB = 2 ** 20
const pool = { cpuMHz: 100_000, memoryMB: 65_536, unreservedMB: 9_830 }

/** Those of states A and B, and the common ones, that a hatchery has which is at work. */
const vsphere = `worker_vcpus worker_memory_mb worker_disk_gb allocated_vcpus allocated_memory_mb allocated_disk_gb vm_count provisioned_vm_count worker_vm_count
  provision_ready_count provision_starting_count provision_dying_count provision_inflight_count template_vcpus template_memory_mb
  template_count pool_total_vcpus pool_total_memory_mb pool_total_vm_count resource_pool_cpu_max_mhz resource_pool_cpu_usage_mhz
  resource_pool_cpu_unreserved_mhz resource_pool_memory_max_bytes resource_pool_memory_usage_bytes
  resource_pool_memory_unreserved_bytes ip_used_count ip_reserved_count ip_active_count ip_total_count`
const hatchery = `jobs_count jobs_processed_count spawned_worker_count spawning_worker_count chan_v2_job_add_count
  chan_worker_starter_job_pop pending_workers registering_workers waiting_workers checking_workers building_workers disabled_workers`

const words = (text: string) => text.split(/\s+/)

const counted = (id: string, source: "event" | "poll") => Metrics.sightings({ id, source }).map((one) => one.id)

describe("metrics", () => {
  scene("have CDS's names, each of them", { vcenter: { pool } }, ({ cds }, process) =>
    Effect.gen(function* () {
      yield* cds.enqueue({ count: 1, durationMs: 10 * 60_000 })
      yield* TestClock.adjust("3 minutes")
      const found = names(yield* scrape(process))
      const wanted = [...words(vsphere).map((one) => `vsphere_${one}`), ...words(hatchery)]
      assert.deepStrictEqual(
        wanted.filter((one) => !found.has(`cds_hatchery_${one}`)),
        []
      )
      const declared = new Set(Metrics.all.map((one) => one.name.replaceAll("/", "_")))
      assert.deepStrictEqual(
        [...found].filter((one) => !declared.has(one)),
        []
      )
    })
  )

  scene("tell of each machine of ours by its name and its template, and of none that is gone", {}, (world, process) =>
    Effect.gen(function* () {
      yield* world.cds.enqueue({ count: 1 })
      yield* TestClock.adjust("45 seconds")
      const working = yield* scrape(process)
      assert.sameMembers(perMachine(working), wantedOf(world))
      const memory = [...working].filter(([series]) => series.startsWith("cds_hatchery_vsphere_worker_memory_mb{"))
      assert.deepStrictEqual(
        memory.map(([, one]) => one),
        wantedOf(world).map(() => 4096)
      )
      yield* TestClock.adjust("6 minutes")
      const after = yield* scrape(process)
      assert.sameMembers(perMachine(after), wantedOf(world))
      assert.notDeepEqual(perMachine(after).toSorted(), perMachine(working).toSorted())
    })
  )

  scene("count workers, the warm pool, our templates and the whole datacenter apart", {}, ({ cds, vcenter }, process) =>
    Effect.gen(function* () {
      vcenter.addForeign({ count: 3 })
      yield* cds.enqueue({ count: 1, durationMs: 60 * 60_000 })
      yield* TestClock.adjust("4 minutes")
      const scraped = yield* scrape(process)
      const figures = (text: string) => words(text).map((one) => value(scraped, `vsphere_${one}`))
      assert.deepStrictEqual(
        figures("vm_count worker_vm_count provisioned_vm_count provision_ready_count"),
        [3, 1, 2, 2]
      )
      assert.deepStrictEqual(figures("allocated_vcpus allocated_memory_mb template_count"), [6, 3 * 4096, 0])
      const all = vcenter.machines()
      assert.deepStrictEqual(figures("pool_total_vm_count pool_total_vcpus"), [
        all.length,
        all.reduce((sum, { cpus }) => sum + cpus, 0)
      ])
      assert.strictEqual(value(scraped, "building_workers"), 1)
    })
  )

  const large = { name: "large", cpus: 4, memoryMB: 8192, diskSizeGB: 50 }
  const unshared = { name: "debian12", cpus: 2, memoryMB: 4096, nics: 1, snapshot: false }
  scene(
    "tell of the disks of each machine and of all, as a flavor leaves them, asking vCenter for what has changed alone",
    {
      settings: { flavors: [large] },
      vcenter: { templates: [{ ...unshared, guestUser: "worker", guestPassword: "worker" }] }
    },
    ({ cds, vcenter }, process) =>
      Effect.gen(function* () {
        const reads = () => process.calls.filter((call) => call === "RetrievePropertiesEx").length
        const first = yield* scrape(process)
        assert.deepStrictEqual(disks(first), [20, 20])
        assert.strictEqual(value(first, "vsphere_allocated_disk_gb"), 40)
        const before = reads()
        assert.deepStrictEqual(yield* scrape(process), first)

        assert.strictEqual(reads(), before)
        yield* cds.enqueue({ flavor: "large", durationMs: 60 * 60_000 })
        yield* TestClock.adjust("4 minutes")
        const grown = yield* scrape(process)
        assert.sameMembers(disks(grown), [50, 20, 20])
        assert.strictEqual(value(grown, "vsphere_allocated_disk_gb"), 90)
        yield* vcenter.inject({ _tag: "Restart", downMs: 10 * 60_000 })
        yield* TestClock.adjust("1 minute")
        const down = yield* scrape(process)
        assert.deepStrictEqual(disks(down), [])
        assert.isUndefined(value(down, "vsphere_allocated_disk_gb"))
      })
  )

  scene(
    "tell of V1 workers by their model, of its template apart, and count V1 jobs as such",
    { v1: true, settings: { provision: [], modelProvision: [{ modelPath: "shared.infra/deb", number: 1 }] } },
    (world, process) =>
      Effect.gen(function* () {
        yield* world.cds.addModel({ name: "deb", password: "worker", registered: { binaries: ["git"] } })
        yield* TestClock.adjust("10 minutes")
        yield* world.cds.enqueueV1({ model: "deb", durationMs: 60 * 60_000 })
        yield* TestClock.adjust("3 minutes")
        const scraped = yield* scrape(process)
        const [, { name: worker = "" } = {}] = world.vcenter.owned(name).filter(({ template }) => !template)
        const labels = `${common},worker_name="${worker}",worker_model="shared.infra/deb"`
        assert.strictEqual(scraped.get(`cds_hatchery_vsphere_worker_vcpus{${labels}}`), 2)
        const figures = words(
          "vm_count worker_vm_count provision_ready_count template_count template_vcpus template_memory_mb"
        )
        assert.deepStrictEqual(
          figures.map((one) => value(scraped, `vsphere_${one}`)),
          [2, 1, 1, 1, 2, 4096]
        )
        assert.strictEqual(value(scraped, "building_workers"), 1)
        assert.strictEqual(value(scraped, "job_received_in_queue_polling_ws_v1_count"), 1)
        assert.isUndefined(value(scraped, "job_received_in_queue_polling_ws_v2_count"))
      })
  )

  scene("answer the queries that dashboards and alerts are made of", { vcenter: { pool } }, ({ cds }, process) =>
    Effect.gen(function* () {
      yield* cds.enqueue({ count: 1, durationMs: 60 * 60_000 })
      yield* TestClock.adjust("4 minutes")
      const scraped = yield* scrape(process)
      const ask = (text: string) => query(scraped, text.replaceAll("$", "cds_hatchery_vsphere_"))
      const close = (text: string, wanted: number) => assert.closeTo(Number(ask(text)), wanted, 1e-9, text)
      close("$vm_count - $provisioned_vm_count", 1)
      close("$vm_count / $pool_total_vm_count", 3 / 4)
      close("$allocated_vcpus / $pool_total_vcpus", 6 / 8)
      close("$pool_total_vcpus - $allocated_vcpus - $template_vcpus", 2)
      const used = value(scraped, "vsphere_resource_pool_memory_usage_bytes")!
      assert.isAbove(used, 0)
      close("$resource_pool_memory_usage_bytes / $resource_pool_memory_max_bytes * 100", (used / (65_536 * MB)) * 100)
      assert.isTrue(ask("$resource_pool_memory_unreserved_bytes / $resource_pool_memory_max_bytes < 0.2"))
      close("$ip_used_count / $ip_total_count * 100", (3 / 253) * 100)
      close("$ip_total_count - $ip_used_count", 250)
      assert.isFalse(ask("$ip_used_count / $ip_total_count > 0.9"))
    })
  )

  scene(
    "have no series for a resource pool that cannot be read, and the others stay",
    { vcenter: { pool } },
    ({ vcenter }, process) =>
      Effect.gen(function* () {
        const memory = "vsphere_resource_pool_memory_max_bytes"
        assert.strictEqual(value(yield* scrape(process), memory), 65_536 * MB)
        yield* vcenter.inject({ _tag: "Unreadable", path: "runtime.memory.maxUsage", forMs: 60 * 60_000 })
        yield* vcenter.inject({ _tag: "CollectorLost" })
        yield* TestClock.adjust("2 minutes")
        const scraped = yield* scrape(process)
        assert.isUndefined(value(scraped, memory))
        assert.strictEqual(value(scraped, "vsphere_resource_pool_cpu_max_mhz"), 100_000)
        assert.strictEqual(value(scraped, "vsphere_vm_count"), 2)
      })
  )

  scene(
    "have no series of addresses where machines ask DHCP",
    { settings: { provision: [] }, networks: [] },
    (_, process) =>
      Effect.gen(function* () {
        const found = names(yield* scrape(process))
        assert.deepStrictEqual(
          [...found].filter((one) => one.includes("_ip_")),
          []
        )
      })
  )

  it("count V1 and V2 jobs apart, by where they were seen", () => {
    const job = "5b1f6a0e-8f0c-4f4e-9d7c-0a2f6f1e7c11"
    const prefix = "cds_hatchery_"
    assert.deepStrictEqual(counted("777", "poll"), [`${prefix}chan_v1_job_add_count`])
    assert.deepStrictEqual(counted(job, "poll"), [`${prefix}chan_v2_job_add_count`])
    const received = `${prefix}jobs_websocket_count`
    assert.deepStrictEqual(counted("777", "event"), [received, `${prefix}job_received_in_queue_polling_ws_v1_count`])
    assert.deepStrictEqual(counted(job, "event"), [received, `${prefix}job_received_in_queue_polling_ws_v2_count`])
  })
})

describe("the monitoring status", () => {
  scene("has CDS's lines in CDS's order, and so has each heartbeat", {}, ({ cds }, { context, calls }) =>
    Effect.gen(function* () {
      const { lines } = yield* Context.get(context, Monitor).status
      const parts = ["Router", "Rival", "Heart", "WorkerModels", "Dispatcher", "Reaper", "Nursery", "Registrar"]
      assert.sameMembers(
        lines.map(({ component }) => component),
        ["Version", "Uptime", "Time", ...parts.map((one) => `goroutine/${one}`), "Workers", "VirtualMachines"]
      )
      assert.deepStrictEqual(
        lines.slice(0, 3).map(({ component }) => component),
        ["Version", "Uptime", "Time"]
      )
      assert.deepStrictEqual(
        lines.slice(-2).map(({ component, value }) => `${component} ${value}`),
        ["Workers 0/10", "VirtualMachines 2"]
      )
      assert.isTrue(lines.every(({ status }) => status === "OK"))
      const before = calls.length
      yield* TestClock.adjust("5 minutes")
      assert.isAtLeast(calls.slice(before).filter((call) => call.includes("heartbeat")).length, 9)
      assert.deepStrictEqual(yield* cds.violations, [])
    })
  )
})

describe("a part that crashed", () => {
  it.effect("shows as not running until its next try", () =>
    Effect.gen(function* () {
      const parts = yield* Parts
      let tries = 0
      const part = Effect.suspend(() => (tries++ === 0 ? Effect.die("a bug") : Effect.never))
      yield* Effect.forkChild(parts.run("Loop")(part))
      yield* Effect.yieldNow
      assert.deepStrictEqual([...(yield* parts.running)], [["Loop", false]])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual([...(yield* parts.running)], [["Loop", true]])
    }).pipe(Effect.provide(Parts.layer))
  )
})
