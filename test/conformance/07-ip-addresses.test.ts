/** Seed 001 section 7: which addresses machines get, which never, and what happens when there are none. Single cases of the pool are in test/layers/memory/IpPool.test.ts. */
import { assert, describe, it } from "@effect/vitest"
import { Context, Effect, Result } from "effect"
import { TestClock } from "effect/testing"
import { IpRanges } from "../../src/layers/memory/IpRanges.ts"
import { parseRange } from "../../src/schema/config/address.ts"
import type { NetworkSettings, SettingsShape } from "../../src/schema/Settings.ts"
import { IpPool } from "../../src/services/IpPool.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { makeWorld, name, seeded, start, type World } from "../support/world.ts"

type Process = Effect.Success<ReturnType<typeof start>>

const network = (ipRange: string, gateway?: string, subnetMask = "255.255.255.0"): NetworkSettings => ({
  ipRange,
  gateway,
  subnetMask
})

/** A world whose pool of that many machines hatches for five minutes. */
const begin = Effect.fnUntraced(function* (
  networks: ReadonlyArray<NetworkSettings>,
  number: number,
  before: (world: World) => void = () => undefined,
  settings: Partial<SettingsShape> = {}
) {
  const made = yield* makeWorld({
    settings: { provision: [{ template: "debian12", number }], poolSize: 4, ...settings }
  })
  const world = { ...made, settings: { ...made.settings, vsphere: { ...made.settings.vsphere, networks } } }
  before(world)
  const process = yield* start(world)
  yield* TestClock.adjust("6 minutes")
  return { world, process }
})

/** The addresses that the annotations of our machines say, sorted. */
const given = ({ vcenter }: World) =>
  vcenter
    .owned(name)
    .map(({ annotation }) => /"ip_address":"([^"]*)"/.exec(annotation)?.[1] ?? "none")
    .toSorted()

const count = ({ context }: Process) => Context.get(context, IpPool).count

const waiting = ({ context }: Process) =>
  Effect.map(Context.get(context, Monitor).waiting, (decisions) => decisions.map(({ reason }) => reason).join())

describe("7.1 a range", () => {
  /** Range, gateway and mask; how many addresses there are to give, the first and the last. */
  const ranges: ReadonlyArray<readonly [string, NetworkSettings, number, string | undefined, string | undefined]> = [
    [
      "a block without its network, its broadcast and its gateway",
      network("10.0.0.0/24", "10.0.0.1"),
      253,
      "10.0.0.2",
      "10.0.0.254"
    ],
    ["a gateway elsewhere costs none", network("10.0.0.0/24", "10.9.0.1"), 254, "10.0.0.1", "10.0.0.254"],
    ["a part of a subnet has neither network nor broadcast", network("10.0.0.64/26"), 64, "10.0.0.64", "10.0.0.127"],
    ["the host part is masked off", network("10.0.0.5/30", undefined, "255.255.255.252"), 2, "10.0.0.5", "10.0.0.6"],
    [
      "several blocks, in the order in which they are written",
      network("10.0.1.8/31,10.0.0.4/31"),
      4,
      "10.0.1.8",
      "10.0.0.5"
    ],
    ["a block that stands twice counts once", network("10.0.0.8/30,10.0.0.8/31"), 4, "10.0.0.8", "10.0.0.11"],
    ["a single address", network("10.0.0.7/32", undefined, "255.255.255.255"), 1, "10.0.0.7", "10.0.0.7"],
    ["nothing but a gateway gives none", network("10.0.0.7/32", "10.0.0.7"), 0, undefined, undefined]
  ]
  for (const [title, settings, total, first, last] of ranges)
    it(title, () => {
      const pool = new IpRanges([settings])
      const all: Array<string> = []
      for (let next = pool.firstFree(() => false); next !== undefined; next = pool.firstFree((ip) => all.includes(ip)))
        all.push(next.ip)
      assert.deepStrictEqual([pool.total, all.length, all[0], all.at(-1)], [total, total, first, last])
    })

  it("that is no IPv4 block is refused with the rule", () => {
    for (const text of [
      "10.0.0.1-10.0.0.9",
      "10.0.0.1",
      "10.0.0.0/33",
      "fe80::/64",
      "10.0.0.300/24",
      "10.0.0.0/24;10.0.1.0/24"
    ])
      assert.isTrue(Result.isFailure(parseRange(text)), text)
  })
})

describe("7.1 an address", () => {
  it.effect("is used when an annotation, a name or a guest's card says so, whoever's machine it is, on or off", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin([network("10.0.0.0/29", "10.0.0.1")], 2, ({ vcenter }) => {
        vcenter.addForeign({ count: 1, ip: "10.0.0.2" })
        const annotation = JSON.stringify({ hatchery_name: "magpie", ip_address: "10.0.0.3" })
        vcenter.addForeign({ count: 1, annotation, poweredOn: false })
        vcenter.addForeign({ count: 1, prefix: "provision-v2-ip-10-0-0-4-calm-turing", poweredOn: false })
      })
      assert.deepStrictEqual(given(world), ["10.0.0.5", "10.0.0.6"])
      assert.deepStrictEqual(yield* count(process), { total: 6, leased: 2, reserved: 4, active: 1, used: 5 })
    }).pipe(seeded("used"))
  )

  it.effect("is one machine's alone, from before its clone until vCenter shows it gone", () =>
    Effect.gen(function* () {
      const { world } = yield* begin([network("10.0.0.0/28", "10.0.0.1")], 4)
      for (let round = 0; round < 40; round++) {
        if (round % 8 === 0) yield* world.cds.enqueue({ count: 3 })
        yield* TestClock.adjust("15 seconds")
        for (const [ip, machines] of world.vcenter.addresses()) assert.isAtMost(machines.length, 1, ip)
        const all = given(world)
        assert.strictEqual(new Set(all).size, all.length)
      }
      assert.strictEqual((yield* world.cds.counts).waiting, 0)
    }).pipe(seeded("alone"))
  )

  it.effect("of the second network brings that one's gateway and mask", () =>
    Effect.gen(function* () {
      const second = network("10.8.0.0/30", "10.8.0.254", "255.255.255.0")
      const { world, process } = yield* begin([network("10.0.0.7/32", undefined, "255.255.255.255"), second], 2)
      assert.deepStrictEqual(given(world), ["10.0.0.7", "10.8.0.1"])
      const machine = world.vcenter.owned(name).find(({ annotation }) => annotation.includes("10.8.0.1"))
      const addressing = yield* Context.get(process.context, IpPool).lease(machine?.instanceUuid ?? "")
      assert.deepInclude(addressing, { ip: "10.8.0.1", gateway: "10.8.0.254", subnetMask: "255.255.255.0" })
    }).pipe(seeded("second"))
  )
})

describe("7.1 exhaustion", () => {
  it.effect("is a reason for jobs and for the pool, and ends when an address is free", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin([network("10.0.0.4/31")], 3)
      assert.deepStrictEqual(given(world), ["10.0.0.4", "10.0.0.5"])
      yield* world.cds.enqueue({ count: 3, durationMs: 4 * 60_000 })
      yield* TestClock.adjust("2 minutes")
      assert.deepInclude(yield* world.cds.counts, { running: 2, waiting: 1 })
      assert.match(yield* waiting(process), /all 2 addresses of hatchery.vsphere.iprange are in use/)
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual((yield* world.cds.counts).done, 3)
    }).pipe(seeded("exhausted"))
  )
})

describe("7.2 without a range", () => {
  it.effect("machines ask DHCP, carry no address in annotation or name, and run jobs", () =>
    Effect.gen(function* () {
      const { world, process } = yield* begin([], 2)
      assert.deepStrictEqual(given(world), ["none", "none"])
      for (const machine of world.vcenter.owned(name)) assert.match(machine.name, /^provision-v2-(?!ip-)/)
      yield* world.cds.enqueue({ count: 2 })
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* world.cds.counts).done, 2)
      assert.deepStrictEqual(yield* count(process), { total: 0, leased: 0, reserved: 0, active: 0, used: 0 })
    }).pipe(seeded("dhcp"))
  )
})
