import { assert, it } from "@effect/vitest"
import { Effect, Layer, Redacted, Schedule } from "effect"
import * as GuestLive from "../../src/layers/vsphere/GuestLive.ts"
import * as InventoryLive from "../../src/layers/vsphere/InventoryLive.ts"
import { Placement } from "../../src/layers/vsphere/Placement.ts"
import { VimSession } from "../../src/layers/vsphere/VimSession.ts"
import * as VimSoap from "../../src/layers/vsphere/VimSoap.ts"
import * as VSphereLive from "../../src/layers/vsphere/VSphereLive.ts"
import { defaults } from "../../src/schema/config/defaults.ts"
import type { MachineFacts } from "../../src/schema/Machine.ts"
import { Guest } from "../../src/services/Guest.ts"
import { Inventory } from "../../src/services/Inventory.ts"
import { Settings } from "../../src/services/Settings.ts"
import type { ClonePlan } from "../../src/services/VSphere.ts"
import { VSphere } from "../../src/services/VSphere.ts"
import * as Go from "./harness/Go.ts"
import { real } from "./harness/real.ts"
import * as Vcenter from "./harness/Vcenter.ts"

const hatchery = "hatchery-1"
const annotation = (worker: string) => JSON.stringify({ hatchery_name: hatchery, worker_name: worker })

/** The whole vSphere side of ours over real SOAP to the simulator at that address. */
const over = (endpoint: string, datacenter = "DC0") =>
  Layer.mergeAll(VSphereLive.layer, GuestLive.layer).pipe(
    Layer.provideMerge(InventoryLive.layer),
    Layer.provideMerge(Placement.layer),
    Layer.provideMerge(
      VimSession.layer({ user: Vcenter.account.user, password: Redacted.make(Vcenter.account.password), locale: "en" })
    ),
    Layer.provideMerge(VimSoap.layer({ endpoint, tls: defaults.vsphere.tls })),
    Layer.provideMerge(
      Layer.succeed(Settings, {
        ...defaults,
        cds: { ...defaults.cds, name: hatchery },
        vsphere: { ...defaults.vsphere, datacenter, network: "VM Network" }
      })
    )
  )

const ip = "10.0.0.7"
const plan: ClonePlan = {
  id: "11111111-1111-4111-8111-111111111111",
  name: "provision-v2-one",
  template: "debian12",
  annotation: annotation("provision-v2-one"),
  addressing: { _tag: "Static", ip, subnetMask: "255.255.255.0", gateway: "10.0.0.1", dns: ["10.0.0.2"] },
  flavor: undefined
}
const login = { username: Vcenter.guestAccount.user, password: Redacted.make(Vcenter.guestAccount.password) }
const always = (_: MachineFacts) => true

real("The vSphere layers against VMware's simulator", Go.goMissing(), () => {
  it.live("bring a machine through its whole life", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-foreign", "300", "-boot", "200ms"])
      yield* Effect.gen(function* () {
        const [vsphere, guest, inventory] = [yield* VSphere, yield* Guest, yield* Inventory]
        yield* vsphere.validate
        yield* inventory.certain
        assert.isAtLeast((yield* inventory.view).machines.size, 301)

        const ref = yield* vsphere.clone(plan)
        yield* guest.ready(ref, ip, login)
        const pid = yield* guest.start(ref, login, {
          script: `echo "it's $WORD" > /tmp/worker.log; exit 3`,
          env: { WORD: Redacted.make("done") }
        })
        const ended = yield* guest.processes(ref, login, pid).pipe(
          Effect.filterOrFail(([process]) => process?.exitCode !== undefined),
          Effect.retry({ times: 100, schedule: Schedule.spaced("50 millis") })
        )
        assert.strictEqual(ended[0]?.exitCode, 3)
        assert.strictEqual(yield* guest.tail(ref, login, "/tmp/worker.log", 5), "done\n")

        yield* vsphere.shutdown(ref)
        yield* vsphere.reconfigure(ref, always, {
          name: "worker-a",
          annotation: annotation("worker-a"),
          size: { cpus: 4, memoryMB: 8192 }
        })
        const worker = yield* vcenter.until(({ name }) => name === "worker-a", "called worker-a")
        assert.deepInclude(worker, {
          power: "poweredOff",
          cpus: 4,
          memory_mb: 8192,
          annotation: annotation("worker-a")
        })
        yield* vcenter.order("POST", "/annotate", { name: "worker-a", annotation: annotation("worker-b") })
        const lost = yield* Effect.flip(
          vsphere.reconfigure(ref, (facts) => facts.annotation === annotation("worker-a"), { name: "worker-c" })
        )
        assert.strictEqual(lost._tag, "Conceded")

        yield* vsphere.powerOn(ref)
        yield* guest.ready(ref, ip, login)
        yield* vsphere.destroy(ref)
        assert.isFalse((yield* vcenter.inventory).some(({ uuid }) => uuid === plan.id))
        assert.isFalse((yield* inventory.view).machines.has(ref))
        yield* vsphere.logout
      }).pipe(Effect.provide(over(vcenter.url)))
    }).pipe(Effect.scoped)
  )

  it.live("go on after the session ended, and look up a clone whose answer was lost", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-foreign", "5", "-boot", "200ms"])
      yield* Effect.gen(function* () {
        const [vsphere, inventory] = [yield* VSphere, yield* Inventory]
        yield* inventory.certain
        yield* vcenter.order("DELETE", "/sessions")
        yield* vsphere.clone(plan)
        yield* inventory.certain
        assert.strictEqual((yield* inventory.view).epoch, 2)
        yield* vcenter.order("POST", "/losses", { method: "CloneVM_Task", before: false, times: 1 })
        const second = { ...plan, id: plan.id.replaceAll("1", "2"), name: "provision-v2-two" }
        assert.strictEqual((yield* Effect.flip(vsphere.clone(second))).kind, "unknown")
        yield* vcenter.until(({ name }) => name === second.name, "called provision-v2-two")
      }).pipe(Effect.provide(over(vcenter.url)))
    }).pipe(Effect.scoped)
  )

  it.live("name a datacenter that is not there with those that are", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start()
      const { problems } = yield* Effect.flip(Effect.flatMap(VSphere, ({ validate }) => validate)).pipe(
        Effect.provide(over(vcenter.url, "DC9"))
      )
      assert.deepStrictEqual(
        problems.map(({ path, value }) => [path, value]),
        [["hatchery.vsphere.datacenterString", "DC9"]]
      )
    }).pipe(Effect.scoped)
  )
})
