import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Go from "./harness/Go.ts"
import { proxy } from "./harness/Proxy.ts"
import { real } from "./harness/real.ts"
import * as Soap from "./harness/Soap.ts"
import * as Vcenter from "./harness/Vcenter.ts"

/** Clones the template as a hatchery would, by strings: annotated, with one card and a fixed address, powered on. */
const hatch = (session: Soap.Session, name: string, ip: string) =>
  Effect.gen(function* () {
    const template = yield* session.find("VirtualMachine", "debian12")
    const folder = yield* session.find("Folder", "vm")
    const pool = yield* session.find("ResourcePool")
    const spec =
      `<location><pool type="ResourcePool">${pool}</pool></location><template>false</template>` +
      `<config>${Soap.element("annotation", `{"hatchery_name":"<${name}>"}`)}</config><customization>` +
      `<identity xsi:type="CustomizationLinuxPrep"><hostName xsi:type="CustomizationVirtualMachineName"/><domain></domain></identity>` +
      `<globalIPSettings/><nicSettingMap><adapter><ip xsi:type="CustomizationFixedIp">${Soap.element("ipAddress", ip)}</ip>` +
      `<subnetMask>255.255.255.0</subnetMask></adapter></nicSettingMap></customization><powerOn>true</powerOn>`
    const answer = yield* session.call(
      "CloneVM_Task",
      `VirtualMachine:${template}`,
      `<folder type="Folder">${folder}</folder>${Soap.element("name", name)}<spec>${spec}</spec>`
    )
    const ref = yield* session.task(Soap.content("returnval", answer)[0] ?? "")
    return ref ?? ""
  })

const runInGuest = (session: Soap.Session, ref: string, script: string) =>
  session.call(
    "StartProgramInGuest",
    "GuestProcessManager:guestOperationsProcessManager",
    `<vm type="VirtualMachine">${ref}</vm><auth xsi:type="NamePasswordAuthentication"><interactiveSession>false</interactiveSession>` +
      Soap.element("username", Vcenter.guestAccount.user) +
      Soap.element("password", Vcenter.guestAccount.password) +
      `</auth><spec xsi:type="GuestProgramSpec"><programPath>/bin/echo</programPath>${Soap.element("arguments", `-n ;${script}`)}</spec>`
  )

const plain = (machines: ReadonlyArray<Soap.Listed>) =>
  machines
    .map(({ ref, name, annotation, power }) => ({ ref, name, annotation, power }))
    .toSorted((a, b) => a.ref.localeCompare(b.ref))

real("VMware's simulator as judge", Go.goMissing(), () => {
  it.live("passes its own tests", () => Go.go(Vcenter.folder, ["test", "-p", "2", "-timeout", "120s", "./..."]))

  it.live("lists its machines alike over SOAP and on the control port", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-foreign", "20", "-boot", "50ms"])
      const session = yield* Soap.login(vcenter.url, Vcenter.account)
      yield* hatch(session, "hatched", "10.0.0.7")
      const listed = yield* session.machines
      const seen = yield* vcenter.inventory
      assert.strictEqual(listed.length, 22)
      assert.deepStrictEqual(plain(listed), plain(seen))
      assert.strictEqual(listed.find(({ name }) => name === "hatched")?.annotation, '{"hatchery_name":"<hatched>"}')
    }).pipe(Effect.scoped)
  )

  it.live("refuses what a fault rule says, and then no more", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start()
      const session = yield* Soap.login(vcenter.url, Vcenter.account)
      yield* vcenter.order("POST", "/faults", { method: "CloneVM_Task", fault: "ResourceInUse", max: 1 })
      const refusal = yield* Effect.flip(hatch(session, "a", "10.0.0.7"))
      assert.match(refusal.message, /CloneVM_Task: .*Fault injected/)
      yield* hatch(session, "a", "10.0.0.7")
      const unknown = yield* Effect.flip(vcenter.order("POST", "/faults", { method: "Login", fault: "Nonsense" }))
      assert.match(unknown.message, /not a vSphere fault/)
    }).pipe(Effect.scoped)
  )

  it.live("is asked again what only reads when it cuts the connection, and nothing else", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "50ms"])
      const session = yield* Soap.login(vcenter.url, Vcenter.account, vcenter.process)
      yield* vcenter.order("POST", "/losses", { method: "RetrieveProperties", times: 3 })
      assert.strictEqual((yield* session.machines).length, 1)
      yield* vcenter.order("POST", "/losses", { method: "CloneVM_Task" })
      const cut = yield* Effect.flip(hatch(session, "a", "10.0.0.7"))
      assert.match(cut.message, /^CloneVM_Task: TypeError: fetch failed < UND_ERR_SOCKET: /)
      assert.strictEqual((yield* vcenter.counters)["CloneVM_Task"]?.count, 1)
    }).pipe(Effect.scoped)
  )

  it.live("is not asked again when it has ended, and its last words are told", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start()
      const session = yield* Soap.login(vcenter.url, Vcenter.account, vcenter.process)
      yield* vcenter.process.kill("SIGQUIT")
      const gone = yield* Effect.flip(session.machines)
      assert.match(gone.message, /^\w+: TypeError: fetch failed < .*it has ended \(code 2\):\nSIGQUIT: quit/)
      assert.strictEqual(gone.unanswered, "otherwise")
    }).pipe(Effect.scoped)
  )

  it.live("runs a guest program that shuts down the simulated machine and nothing else", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "50ms"])
      const session = yield* Soap.login(vcenter.url, Vcenter.account)
      const one = yield* hatch(session, "one", "10.0.0.7")
      const two = yield* hatch(session, "two", "10.0.0.8")
      const ready = yield* vcenter.until(({ ref, ready }) => ref === one && ready, "ready")
      yield* vcenter.until(({ ref, ready }) => ref === two && ready, "ready")
      assert.strictEqual(ready.ip, "10.0.0.7")
      yield* runInGuest(session, two, "sleep 600")
      yield* runInGuest(session, one, "touch /tmp/worker.log && sudo shutdown -h now && sleep 600")
      const off = yield* vcenter.until(({ ref, power }) => ref === one && power === "poweredOff", "off")
      assert.deepInclude(off, { ip: "", ready: false, processes: 0 })
      const other = yield* vcenter.until(({ ref }) => ref === two, "there")
      assert.deepInclude(other, { power: "poweredOn", processes: 1 })
    }).pipe(Effect.scoped)
  )

  it.live("is counted by a proxy, which can cut it off", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-foreign", "10"])
      const between = yield* proxy(vcenter.url)
      const session = yield* Soap.login(between.url, Vcenter.account)
      const cost = (measured: Effect.Effect<unknown, unknown>) =>
        Effect.andThen(between.reset, Effect.andThen(Effect.exit(measured), between.traffic))
      yield* vcenter.order("DELETE", "/counters")
      const listing = yield* cost(session.machines)
      const counted = Object.values(yield* vcenter.counters)
      const bodies = counted.reduce((sum, { bytes_in, bytes_out }) => sum + bytes_in + bytes_out, 0)
      assert.isAbove(bodies, 1000)
      assert.isAbove(listing.up + listing.down, bodies)
      yield* between.refuse(true)
      yield* between.sever
      const refused = yield* cost(session.machines)
      assert.deepStrictEqual(refused, { up: 0, down: 0, connections: 0 })
      yield* between.refuse(false)
      assert.strictEqual((yield* session.machines).length, 11)
    }).pipe(Effect.scoped)
  )

  it.live("takes its guests with it when it is killed", () =>
    Effect.gen(function* () {
      const vcenter = yield* Vcenter.start(["-boot", "50ms"])
      const session = yield* Soap.login(vcenter.url, Vcenter.account)
      const ref = yield* hatch(session, "a", "10.0.0.7")
      yield* vcenter.until((machine) => machine.ref === ref && machine.ready, "ready")
      const answer = yield* runInGuest(session, ref, "sleep 600")
      const pid = Number(Soap.content("returnval", answer)[0])
      assert.isTrue(alive(pid))
      yield* vcenter.process.kill("SIGKILL")
      yield* vcenter.process.exit
      while (alive(pid)) yield* Effect.sleep(20)
    }).pipe(Effect.scoped)
  )
})

const alive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
