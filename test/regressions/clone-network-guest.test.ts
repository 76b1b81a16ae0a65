/** Defects 36 to 52: what a clone is made of, its network, and what happens in its guest. */
import { assert, describe } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { admit } from "../../src/actors/jobs/admission.ts"
import { sizeSpec } from "../../src/layers/vsphere/ReconfigSpec.ts"
import type { Job, Model } from "../../src/schema/Job.ts"
import {
  always,
  calls,
  callsDuring,
  conflicts,
  hatched,
  job,
  machine,
  order,
  owned,
  pass,
  ready,
  regression,
  started,
  told,
  until,
  whyWaits,
  working,
  type Stand
} from "./support.ts"

const template = {
  name: "debian12",
  cpus: 2,
  memoryMB: 4096,
  nics: 2,
  snapshot: true,
  guestUser: "worker",
  guestPassword: "worker"
}
const one = { provision: [{ template: "debian12", number: 1 }] }

const done = (stand: Stand, id: string) => until("the job is done", () => job(stand, id).status === "Success")

/** The text of what was sent to vCenter in the first clone. */
const cloneSpec = (stand: Stand): string => JSON.stringify(calls(stand, "CloneVM_Task")[0]?.args)

/** The start script's process, and what it was given. */
const startScript = ({ programs }: Stand) => programs.find(({ env }) => env["CDS_CONFIG"] !== undefined)!

describe("a clone, its network and its guest", () => {
  regression(
    "36, 37",
    "without ranges, machines of two cards get their addresses by DHCP and serve jobs",
    Effect.gen(function* () {
      const stand = yield* hatched({ vsphere: { networks: [] }, vcenter: { templates: [template] } })
      const id = yield* order(stand)
      const { guest } = yield* working(stand, id)
      assert.strictEqual(guest.addresses.length, 2)
      yield* done(stand, id)
    })
  )

  regression(
    "38",
    "a guest that boots for two minutes costs no more calls than one that boots in seconds",
    Effect.gen(function* () {
      const callsOfBoot = Effect.fnUntraced(function* (bootMs: number) {
        const stand = yield* started({ timings: { bootMs }, settings: one })
        return (yield* callsDuring(
          stand,
          until("it is ready", () => ready(stand).length === 1)
        )).length
      })
      assert.strictEqual(yield* callsOfBoot(120_000), yield* callsOfBoot(5_000))
    })
  )

  regression(
    "39",
    "a guest with a wrong address is given up with that address as the reason, and asked about it a few times only",
    Effect.gen(function* () {
      const stand = yield* started({ settings: one })
      yield* stand.vcenter.inject({ _tag: "GuestFails", how: "WrongAddress", count: 1 })
      const made = yield* callsDuring(
        stand,
        until("another one is ready", () => ready(stand).length === 1)
      )
      assert.isBelow(made.length, 40)
      assert.isTrue((yield* told(stand, "debian12")).some((text) => /does not have 10\.0\.0\.2: 10\.99\./.test(text)))
    })
  )

  regression(
    "40",
    "a pool machine is shut down by its guest, after its customization and with its own address, docker bridges or not",
    Effect.gen(function* () {
      const stand = yield* started({ vcenter: { guestNoise: 1 } })
      const booted: Array<string | undefined> = []
      yield* until("the pool is ready", () => {
        for (const { guest } of owned(stand)) booted.push(guest.ipAddress)
        return ready(stand).length === 2
      })
      assert.include(booted, "172.17.0.1")
      assert.deepStrictEqual(
        ready(stand).map(({ guest }) => guest.customization),
        ["SUCCEEDED", "SUCCEEDED"]
      )
      assert.strictEqual(calls(stand, "ShutdownGuest").length, 2)
      assert.strictEqual(calls(stand, "PowerOffVM_Task").length, 0)
    })
  )

  regression(
    "42",
    "a worker that cannot be downloaded is told on the job, with the end of the log",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* stand.cds.fault({ kind: "answer", status: 404, times: 3, path: "/download/worker" })
      const id = yield* order(stand)
      yield* until("the user is told", () => job(stand, id).infos.some(({ level }) => level === "error"))
      const { message } = job(stand, id).infos.find(({ level }) => level === "error")!
      assert.match(message, /exit code 1/)
      assert.match(message, /cannot be downloaded/)
      yield* done(stand, id)
    })
  )

  regression(
    "43",
    "values for the worker arrive in the guest as they were written",
    Effect.gen(function* () {
      const written = `a<b>&"c"+'d' $HOME \`e\` \\n`
      const plain = yield* hatched()
      const settings = { worker: { ...plain.world.settings.worker, injectEnvVars: { PROBE: written } } }
      const stand = yield* hatched({ settings })
      yield* done(stand, yield* order(stand))
      assert.strictEqual(startScript(stand).env["PROBE"], written)
    })
  )

  regression(
    "44",
    "the script is run by /bin/sh, and no secret is in its text",
    Effect.gen(function* () {
      const stand = yield* hatched()
      yield* done(stand, yield* order(stand))
      const { programPath, arguments: text, env } = startScript(stand)
      assert.strictEqual(programPath, "/bin/sh")
      assert.match(text, /^-c '/)
      assert.notInclude(text, env["CDS_CONFIG"] ?? "")
      assert.notInclude(text, "CDS_CONFIG")
    })
  )

  regression(
    "45",
    "the guest login of a model counts where the file has none, and a job without any login says so",
    Effect.gen(function* () {
      const stand = yield* hatched({ settings: { credentials: [] } })
      const id = yield* order(stand)
      yield* pass("1 minute")
      assert.match(yield* whyWaits(stand, id), /no guest login for "debian12"/)
      assert.strictEqual(job(stand, id).status, "Waiting")
      const wanted = { status: "Waiting", hasServices: false, runsOn: { model: "m", memory: "", flavor: "" } } as Job
      const login = { username: "jane", password: "secret" }
      const model: Model = { name: "m", type: "vsphere", osArch: "", image: "debian12", flavor: "", ...login }
      const admitted = admit(wanted, model, stand.world.settings)
      assert.strictEqual(admitted._tag === "Wanted" ? Redacted.value(admitted.login!.password) : "", "secret")
    })
  )

  regression(
    "46",
    "clones share the template's disks through its snapshot",
    Effect.gen(function* () {
      const stand = yield* hatched()
      assert.match(cloneSpec(stand), /"diskMoveType":"createNewChildDiskBacking"/)
      assert.match(cloneSpec(stand), /"snapshot":\{"type":"VirtualMachineSnapshot"/)
    })
  )

  regression(
    "47",
    "the card type of the file is that of every card of a machine",
    Effect.gen(function* () {
      const stand = yield* hatched({ vsphere: { cardName: "e1000" }, vcenter: { templates: [template] } })
      for (const { cards } of ready(stand))
        assert.deepStrictEqual(
          cards.map(({ type }) => type),
          ["VirtualE1000", "VirtualE1000"]
        )
    })
  )

  regression(
    "48",
    "every DNS server of the file is given to the guest",
    Effect.gen(function* () {
      const stand = yield* hatched({ vsphere: { dns: ["10.0.0.53", "10.0.1.53"] } })
      assert.include(cloneSpec(stand), `"dnsServerList":["10.0.0.53","10.0.1.53"]`)
    })
  )

  regression(
    "49",
    "a flavor of three CPUs fits a machine of two cores per socket, and one that is given is applied",
    Effect.gen(function* () {
      assert.deepStrictEqual(sizeSpec({ cpus: 3, memoryMB: 1024 }, 2), {
        numCPUs: 3,
        numCoresPerSocket: 1,
        memoryMB: 1024
      })
      const stand = yield* hatched({ settings: { flavors: [{ name: "odd", cpus: 3, memoryMB: 6144 }] } })
      const { cpus, memoryMB } = yield* working(stand, yield* order(stand, { flavor: "odd" }))
      assert.deepStrictEqual([cpus, memoryMB], [3, 6144])
    })
  )

  regression(
    "50",
    "any character may be in the user's name and password",
    Effect.gen(function* () {
      const account = { user: "dom\\rook ery@vsphere.local", password: "p@ss/w:rd#1%?&" }
      assert.strictEqual(ready(yield* hatched({ vcenter: account })).length, 2)
    })
  )

  regression(
    "51",
    "a clone that takes longer than it may is called back; nothing is left of it and its address is on no other",
    Effect.gen(function* () {
      const stand = yield* started({ timings: { cloneMs: 12 * 60_000, jitter: 0 }, settings: one })
      yield* pass("11 minutes")
      assert.isAtLeast(calls(stand, "CancelTask").length, 1)
      yield* always("each address is on one machine", 40 * 60, () => conflicts(stand).length === 0)
      assert.isAtMost(owned(stand).length, 1)
    })
  )

  regression(
    "52",
    "a clone refused because its name exists leaves the machine of that name alone",
    Effect.gen(function* () {
      let tries = 0
      const stand = yield* started({
        settings: one,
        ids: (ids) => ({
          ...ids,
          workerName: (prefix) => (tries++ === 0 ? Effect.succeed("provision-v2-twin") : ids.workerName(prefix))
        })
      })
      const [theirs] = stand.vcenter.addForeign({ count: 1 })
      stand.vcenter.others.rename(theirs!.value, "provision-v2-twin")
      const before = machine(stand, theirs!)
      yield* until("a machine of another name is ready", () => ready(stand).length === 1)
      assert.deepStrictEqual(machine(stand, theirs!), before)
    })
  )
})
