/** Our vSphere services over SOAP against VMware's own simulator. */
import { assert, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import * as GuestLive from "../../src/layers/vsphere/GuestLive.ts"
import * as InventoryLive from "../../src/layers/vsphere/InventoryLive.ts"
import { Placement } from "../../src/layers/vsphere/Placement.ts"
import { VimSession } from "../../src/layers/vsphere/VimSession.ts"
import * as VimSoap from "../../src/layers/vsphere/VimSoap.ts"
import * as VSphereLive from "../../src/layers/vsphere/VSphereLive.ts"
import { defaults } from "../../src/schema/config/defaults.ts"
import { Guest } from "../../src/services/Guest.ts"
import { Inventory } from "../../src/services/Inventory.ts"
import { Settings, type VSphereSettings } from "../../src/services/Settings.ts"
import { type ClonePlan, VSphere } from "../../src/services/VSphere.ts"
import * as Go from "./harness/Go.ts"
import { sideBySide } from "./harness/real.ts"
import * as Vcenter from "./harness/Vcenter.ts"

const hatchery = "hatchery-1"
const annotation = (worker: string) => JSON.stringify({ hatchery_name: hatchery, worker_name: worker })
const login = { username: Vcenter.guestAccount.user, password: Redacted.make(Vcenter.guestAccount.password) }

const services = (vcenter: Vcenter.Vcenter, vsphere: Partial<VSphereSettings> = {}) => {
  const settings = {
    ...defaults,
    cds: { ...defaults.cds, name: hatchery },
    vsphere: {
      ...defaults.vsphere,
      endpoint: vcenter.url,
      user: Vcenter.account.user,
      password: Redacted.make(Vcenter.account.password),
      datacenter: "DC0",
      network: "VM Network",
      cardName: "vmxnet3",
      ...vsphere
    }
  }
  const { endpoint, tls, user, password } = settings.vsphere
  return Layer.mergeAll(VSphereLive.layer, GuestLive.layer).pipe(
    Layer.provideMerge(InventoryLive.layer),
    Layer.provideMerge(Placement.layer),
    Layer.provideMerge(VimSession.layer({ user, password, locale: "en" })),
    Layer.provideMerge(VimSoap.layer({ endpoint, tls })),
    Layer.provideMerge(Layer.succeed(Settings, settings))
  )
}

const plan: ClonePlan = {
  id: "11111111-1111-4111-8111-111111111111",
  name: "provision-v2-one",
  template: "debian12",
  annotation: annotation("provision-v2-one"),
  addressing: { _tag: "Static", ip: "10.0.0.7", subnetMask: "255.255.255.0", gateway: "10.0.0.1", dns: ["10.0.0.2"] },
  flavor: { cpus: 4, memoryMB: 4096 }
}

const hatched = Effect.gen(function* () {
  const vsphere = yield* VSphere
  yield* vsphere.validate
  yield* (yield* Inventory).certain
  const ref = yield* vsphere.clone(plan)
  yield* (yield* Guest).ready(ref, "10.0.0.7", login)
  return ref
})

sideBySide("our vSphere services against VMware's simulator", Go.goMissing(), () => {
  it.live("hatch a machine on the host that is named, work in its guest, and take it away", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "100ms", "-foreign", "5", "-template", "debian12,2,2048,2"])
      const seen = (ref: string) => vcenter.until((machine) => machine.ref === ref, "there")
      yield* Effect.gen(function* () {
        const [vsphere, guest, inventory] = [yield* VSphere, yield* Guest, yield* Inventory]
        const ref = yield* hatched
        assert.deepInclude(yield* seen(ref), {
          name: plan.name,
          uuid: plan.id,
          annotation: plan.annotation,
          ip: "10.0.0.7",
          addresses: [["10.0.0.7"], ["192.168.77.10"]],
          cpus: 4,
          memory_mb: 4096
        })
        yield* vsphere.reconfigure(ref, () => true, { name: "worker-1", annotation: annotation("worker-1") })
        assert.deepInclude(yield* seen(ref), { name: "worker-1", annotation: annotation("worker-1") })
        yield* inventory.until(ref, ({ name }) => name === "worker-1")

        const script = `echo "it's $GREETING" > /tmp/worker.log; exit 3`
        const pid = yield* guest.start(ref, login, { script, env: { GREETING: Redacted.make("hello") } })
        while ((yield* guest.processes(ref, login, pid))[0]?.exitCode === undefined) yield* Effect.sleep(20)
        assert.strictEqual((yield* guest.processes(ref, login, pid))[0]?.exitCode, 3)
        assert.strictEqual(yield* guest.tail(ref, login, "/tmp/worker.log", 6), "hello\n")

        yield* vsphere.shutdown(ref)
        assert.strictEqual((yield* seen(ref)).power, "poweredOff")
        yield* vsphere.powerOn(ref)
        yield* guest.ready(ref, "10.0.0.7", login)
        yield* vsphere.powerOff(ref)
        yield* vsphere.destroy(ref)
        assert.isFalse((yield* vcenter.inventory).some((machine) => machine.ref === ref))
        yield* vsphere.logout
      }).pipe(Effect.provide(services(vcenter, { cluster: "DC0_C0", host: "DC0_C0_H0" })))
    }).pipe(Effect.scoped)
  )

  it.live("make a template of a machine, rename it, clone it, and take it away", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "100ms"])
      yield* Effect.gen(function* () {
        const [vsphere, inventory] = [yield* VSphere, yield* Inventory]
        const ref = yield* hatched
        assert.strictEqual((yield* Effect.flip(vsphere.markAsTemplate(ref))).fault, "InvalidPowerState")
        yield* vsphere.shutdown(ref)
        yield* vsphere.snapshot(ref)
        yield* vsphere.snapshot(ref)
        yield* vsphere.markAsTemplate(ref)
        yield* inventory.until(ref, ({ template }) => template)
        yield* vsphere.markAsTemplate(ref)
        // A vCenter says DuplicateName; this simulator says that the name is no good argument.
        assert.include(["duplicate", "invalid"], (yield* Effect.flip(vsphere.rename(ref, "debian12"))).kind)
        yield* vsphere.rename(ref, "debian-ci")
        assert.deepInclude(yield* vsphere.template("debian-ci"), { ref, linked: true })
        const child = { ...plan, id: "22222222-2222-4222-8222-222222222222", name: "child", template: "debian-ci" }
        const clone = yield* vsphere.clone(child)
        assert.isFalse((yield* inventory.until(clone, ({ id }) => id === child.id)).template)
        yield* vsphere.destroy(ref)
        assert.isFalse((yield* vcenter.inventory).some((machine) => machine.ref === ref))
      }).pipe(Effect.provide(services(vcenter)))
    }).pipe(Effect.scoped)
  )

  it.live("try a guarded change again when another hand was faster, unless the machine is no longer ours", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "100ms"])
      yield* Effect.gen(function* () {
        const vsphere = yield* VSphere
        const ref = yield* hatched
        yield* vcenter.order("DELETE", "/counters")
        yield* vcenter.order("POST", "/delays", { ReconfigVM_Task: 500 })
        const changing = yield* Effect.forkChild(
          vsphere.reconfigure(ref, ({ name }) => name === plan.name, { annotation: annotation("a") })
        )
        yield* Effect.sleep(100)
        yield* vcenter.order("POST", "/annotate", { name: ref, annotation: annotation("other") })
        yield* Fiber.join(changing)
        assert.strictEqual((yield* vcenter.until((m) => m.ref === ref, "there")).annotation, annotation("a"))
        assert.isAtLeast((yield* vcenter.counters)["ReconfigVM_Task"]?.count ?? 0, 2)

        yield* vcenter.order("POST", "/rename", { name: ref, to: "taken" })
        const change = { annotation: annotation("b") }
        const conceded = yield* Effect.flip(vsphere.reconfigure(ref, ({ name }) => name === plan.name, change))
        assert.propertyVal(conceded, "_tag", "Conceded")
        yield* vsphere.logout
      }).pipe(Effect.provide(services(vcenter)))
    }).pipe(Effect.scoped)
  )

  it.live("go on after their session was ended, over TLS that is checked by thumbprint", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "100ms", "-tls"])
      const tls = { ...defaults.vsphere.tls, thumbprint: vcenter.tls!.sha256 }
      yield* Effect.gen(function* () {
        const vsphere = yield* VSphere
        const ref = yield* hatched
        yield* vcenter.order("DELETE", "/sessions")
        yield* vsphere.powerOff(ref)
        yield* vsphere.destroy(ref)
        assert.isFalse((yield* vcenter.inventory).some((machine) => machine.ref === ref))
        yield* vsphere.logout
      }).pipe(Effect.provide(services(vcenter, { tls })))
    }).pipe(Effect.scoped)
  )
})
