import { assert, describe, it } from "@effect/vitest"
import { Effect, Layer } from "effect"
import { layer } from "../../../src/layers/memory/IpPool.ts"
import { defaults } from "../../../src/schema/Config.ts"
import type { MachineFacts } from "../../../src/schema/Machine.ts"
import { IpPool } from "../../../src/services/IpPool.ts"
import { Settings, type NetworkSettings } from "../../../src/services/Settings.ts"

const network = (ipRange: string, more: Partial<NetworkSettings> = {}): NetworkSettings => ({
  ipRange,
  gateway: undefined,
  subnetMask: "255.255.255.0",
  ...more
})

/** A pool of these networks. */
const pool = <A, E>(networks: ReadonlyArray<NetworkSettings>, use: (ips: IpPool["Service"]) => Effect.Effect<A, E>) => {
  const vsphere = { ...defaults.vsphere, networks, dns: ["10.1.1.1"] }
  return Effect.flatMap(IpPool, use).pipe(
    Effect.provide(Layer.fresh(layer).pipe(Layer.provide(Layer.succeed(Settings, { ...defaults, vsphere }))))
  )
}

const leaseIp = (ips: IpPool["Service"], machine: string) =>
  Effect.map(ips.lease(machine), (addressing) => (addressing._tag === "Static" ? addressing.ip : "dhcp"))

/** Leases until nothing is left. */
const leaseAll = Effect.fnUntraced(function* (ips: IpPool["Service"]) {
  const got: Array<string> = []
  while (true) {
    const ip = yield* leaseIp(ips, `machine-${got.length}`).pipe(Effect.orElseSucceed(() => undefined))
    if (ip === undefined) return got
    got.push(ip)
  }
})

const facts = (ref: string, more: Partial<MachineFacts> = {}): MachineFacts => ({
  ref,
  unreadable: [],
  name: ref,
  id: `id of ${ref}`,
  annotation: "",
  changeVersion: "1",
  template: false,
  power: "poweredOn",
  connection: "connected",
  question: undefined,
  numCpu: 1,
  memoryMB: 1024,
  createdAt: undefined,
  bootedAt: undefined,
  resourcePool: undefined,
  guest: {
    ipAddress: undefined,
    addresses: [],
    operationsReady: true,
    toolsRunning: true,
    customization: undefined
  },
  ...more
})

const withCards = (ref: string, ...addresses: ReadonlyArray<ReadonlyArray<string>>): MachineFacts =>
  facts(ref, { guest: { ...facts(ref).guest, addresses } })

const annotated = (ref: string, ip: string): MachineFacts =>
  facts(ref, { annotation: `{"hatchery_name":"somebody","ip_address":"${ip}"}` })

describe("the addresses of a range", () => {
  const ranges: ReadonlyArray<readonly [string, NetworkSettings, ReadonlyArray<string>]> = [
    [
      "are those of its block, from the masked start on",
      network("10.0.0.5/30"),
      ["10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.7"]
    ],
    [
      "are those of each block, in written order",
      network("10.0.0.9/32, 10.0.0.2/31"),
      ["10.0.0.9", "10.0.0.2", "10.0.0.3"]
    ],
    ["count once where blocks overlap", network("10.0.0.2/31,10.0.0.0/30"), ["10.0.0.2", "10.0.0.3", "10.0.0.1"]],
    [
      "leave out the gateway, the network and the broadcast address",
      network("10.0.0.0/29", { gateway: "10.0.0.1", subnetMask: "255.255.255.248" }),
      ["10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]
    ],
    [
      "leave out what the mask makes network and broadcast, not the block's ends",
      network("10.0.0.254/31,10.0.1.0/31"),
      ["10.0.0.254", "10.0.1.1"]
    ],
    [
      "are all of them under a mask that has no broadcast",
      network("10.0.0.0/31", { subnetMask: "255.255.255.254" }),
      ["10.0.0.0", "10.0.0.1"]
    ],
    [
      "leave out once a gateway that is an end of its subnet",
      network("10.0.0.0/31,10.0.1.254/31", { gateway: "10.0.0.0" }),
      ["10.0.0.1", "10.0.1.254"]
    ]
  ]

  for (const [what, range, expected] of ranges)
    it.effect(what, () =>
      pool([range], (ips) =>
        Effect.gen(function* () {
          assert.strictEqual((yield* ips.count).total, expected.length)
          assert.deepStrictEqual(yield* leaseAll(ips), expected)
        })
      )
    )

  it.effect("bring mask, gateway and name servers of their network along", () =>
    pool(
      [
        network("10.0.0.2/32", { gateway: "10.0.0.1" }),
        network("10.8.0.2/32", { gateway: "10.8.0.1", subnetMask: "255.255.0.0" })
      ],
      (ips) =>
        Effect.gen(function* () {
          const [first, second] = [yield* ips.lease("a"), yield* ips.lease("b")]
          const dns = ["10.1.1.1"]
          const mask = "255.255.255.0"
          assert.deepStrictEqual(first, { _tag: "Static", ip: "10.0.0.2", subnetMask: mask, gateway: "10.0.0.1", dns })
          assert.deepInclude(second, { ip: "10.8.0.2", subnetMask: "255.255.0.0", gateway: "10.8.0.1" })
        })
    )
  )

  it.effect("are no concern without a range: machines ask DHCP", () =>
    pool([], (ips) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* ips.lease("a"), { _tag: "Dhcp" })
        assert.deepStrictEqual(yield* ips.count, { total: 0, leased: 0, reserved: 0, active: 0, used: 0 })
      })
    )
  )

  it.effect("may be very many: a block of sixteen million costs nothing to count and little to search", () =>
    pool([network("10.0.0.0/8")], (ips) =>
      Effect.gen(function* () {
        for (let n = 0; n < 300; n++) yield* ips.lease(`machine-${n}`)
        const taken = { leased: 300, reserved: 300, active: 0, used: 300 }
        assert.deepStrictEqual(yield* ips.count, { total: 2 ** 24 - 2 * 2 ** 16, ...taken })
      })
    )
  )
})

describe("a lease", () => {
  const small = [network("10.0.0.2/31")]

  it.effect("is the first free address, the same one for the same machine", () =>
    pool([network("10.0.0.0/24")], (ips) =>
      Effect.gen(function* () {
        assert.strictEqual(yield* leaseIp(ips, "a"), "10.0.0.1")
        assert.strictEqual(yield* leaseIp(ips, "b"), "10.0.0.2")
        assert.strictEqual(yield* leaseIp(ips, "a"), "10.0.0.1")
        yield* ips.release("a")
        assert.strictEqual(yield* leaseIp(ips, "c"), "10.0.0.1")
        assert.strictEqual((yield* ips.count).leased, 2)
      })
    )
  )

  it.effect("is refused when all are in use, with how many there are and whose they are", () =>
    pool(small, (ips) =>
      Effect.gen(function* () {
        yield* ips.lease("a")
        yield* ips.observe(withCards("vm-9", ["10.0.0.3"]))
        const refused = yield* Effect.flip(ips.lease("b"))
        assert.strictEqual(refused.total, 2)
        assert.strictEqual(
          refused.message,
          "all 2 addresses of hatchery.vsphere.iprange are in use (1 by machines of this hatchery)"
        )
      })
    )
  )

  it.effect("ends by its own machine alone, and once", () =>
    pool(small, (ips) =>
      Effect.gen(function* () {
        yield* ips.lease("a")
        yield* ips.release("somebody")
        assert.strictEqual((yield* ips.count).leased, 1)
        yield* ips.release("a")
        assert.strictEqual(yield* leaseIp(ips, "b"), "10.0.0.2")
        yield* ips.release("a")
        assert.strictEqual(yield* leaseIp(ips, "c"), "10.0.0.3")
      })
    )
  )

  it.effect("is one per machine, however many ask at the same time", () =>
    pool([network("10.0.0.0/24")], (ips) =>
      Effect.gen(function* () {
        const ask = (n: number) => Effect.andThen(Effect.yieldNow, leaseIp(ips, `machine-${n}`))
        const got = yield* Effect.forEach(
          Array.from({ length: 200 }, (_, n) => n),
          ask,
          { concurrency: 200 }
        )
        assert.strictEqual(new Set(got).size, 200)
        assert.strictEqual((yield* ips.count).leased, 200)
        yield* Effect.forEach(got, (_, n) => ips.release(`machine-${n}`), { concurrency: 200 })
        assert.strictEqual((yield* ips.count).leased, 0)
      })
    )
  )

  it.effect("is taken over from an adopted machine, even of an address outside the ranges", () =>
    pool(small, (ips) =>
      Effect.gen(function* () {
        yield* ips.adopt("a", "10.0.0.2")
        yield* ips.adopt("b", "192.168.7.7")
        assert.strictEqual(yield* leaseIp(ips, "c"), "10.0.0.3")
        assert.strictEqual((yield* ips.count).leased, 3)
      })
    )
  )

  it.effect("that two adopted machines have is free when both are gone", () =>
    pool(small, (ips) =>
      Effect.gen(function* () {
        for (const machine of ["a", "b", "a"]) yield* ips.adopt(machine, "10.0.0.2")
        for (const first of ["a", "b"]) {
          yield* ips.release(first)
          const free = first === "a" ? "10.0.0.3" : "10.0.0.2"
          assert.strictEqual(yield* leaseIp(ips, "c"), free, first)
          yield* ips.release("c")
        }
      })
    )
  )
})

describe("addresses of machines of others", () => {
  const three = [network("10.0.0.1/32,10.0.0.2/31")]

  it.effect("does not hand out the address in the name of a machine in the making, which has no annotation yet", () =>
    pool([network("10.0.0.0/29")], (ips) =>
      Effect.gen(function* () {
        const making = facts("vm-1", { id: "", name: "provision-v2-ip-10-0-0-1-quick-selby" })
        yield* ips.observe(making)
        assert.strictEqual(yield* leaseIp(ips, "machine"), "10.0.0.2")
        yield* ips.forget(making)
        assert.strictEqual(yield* leaseIp(ips, "other"), "10.0.0.1")
      })
    )
  )

  it.effect("are left out: what their cards show and what their annotation says", () =>
    pool(three, (ips) =>
      Effect.gen(function* () {
        yield* ips.observe(withCards("vm-1", ["fe80::1", "172.17.0.1"], ["10.0.0.1"]))
        yield* ips.observe(annotated("vm-2", "10.0.0.2"))
        assert.deepStrictEqual(yield* ips.count, { total: 3, leased: 0, reserved: 1, active: 1, used: 2 })
        assert.deepStrictEqual(yield* leaseAll(ips), ["10.0.0.3"])
      })
    )
  )

  it.effect("are free again when the machine has another one, or is gone", () =>
    pool(three, (ips) =>
      Effect.gen(function* () {
        yield* ips.observe(withCards("vm-1", ["10.0.0.1"]))
        yield* ips.observe(withCards("vm-2", ["10.0.0.1"]))
        yield* ips.observe(withCards("vm-1", ["10.0.0.2"]))
        assert.strictEqual(yield* leaseIp(ips, "a"), "10.0.0.3")
        yield* ips.release("a")
        yield* ips.forget(facts("vm-2"))
        assert.strictEqual(yield* leaseIp(ips, "a"), "10.0.0.1")
        yield* ips.observe(facts("vm-1"))
        yield* ips.forget(facts("vm-1"))
        assert.strictEqual((yield* ips.count).active, 0)
      })
    )
  )

  it.effect("do not count twice: one of ours that shows its own address uses one", () =>
    pool(three, (ips) =>
      Effect.gen(function* () {
        yield* ips.lease("a")
        yield* ips.observe(withCards("vm-1", ["10.0.0.1"]))
        assert.deepStrictEqual(yield* ips.count, { total: 3, leased: 1, reserved: 1, active: 1, used: 1 })
      })
    )
  )

  it.effect("are found on whatever machines show them", () =>
    pool(three, (ips) =>
      Effect.gen(function* () {
        yield* ips.observe(annotated("vm-1", "10.0.0.1"))
        yield* ips.observe(withCards("vm-2", ["10.0.0.1", "172.17.0.1"]))
        yield* ips.observe(annotated("vm-3", "10.0.0.2"))
        assert.deepStrictEqual(yield* ips.holders("10.0.0.1"), ["vm-1", "vm-2"])
        yield* ips.forget(annotated("vm-1", "10.0.0.1"))
        assert.deepStrictEqual(yield* ips.holders("10.0.0.1"), ["vm-2"])
      })
    )
  )

  it.effect("on templates are nobody's", () =>
    pool(three, (ips) =>
      Effect.gen(function* () {
        yield* ips.observe({ ...annotated("vm-1", "10.0.0.1"), template: true })
        assert.strictEqual(yield* leaseIp(ips, "a"), "10.0.0.1")
      })
    )
  )
})
