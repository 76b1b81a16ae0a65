/** What a job from the warm pool costs at vCenter, in bytes, with few and with many machines of other people there. */
import { assert, it } from "@effect/vitest"
import { Effect, type Scope } from "effect"
import { isListing, tellsAbsence } from "./harness/Calls.ts"
import * as Cds from "./harness/Cds.ts"
import * as Go from "./harness/Go.ts"
import { HarnessError } from "./harness/HarnessError.ts"
import type * as Process from "./harness/Process.ts"
import * as Program from "./harness/Program.ts"
import { real } from "./harness/real.ts"
import { type Exchange, quiet, tap } from "./harness/Tap.ts"
import * as Vcenter from "./harness/Vcenter.ts"

/** A vCenter with machines of other people. */
interface Estate {
  readonly url: string
  readonly password: string
  readonly rename: (name: string, to: string) => Effect.Effect<unknown, HarnessError>
  readonly destroy: (name: string) => Effect.Effect<unknown, HarnessError>
}

const judge = (foreign: number): Effect.Effect<Estate, HarnessError, Scope.Scope> =>
  Effect.map(Vcenter.start(["-boot", "200ms", "-foreign", String(foreign)]), ({ url, order }) => ({
    url,
    password: Vcenter.account.password,
    rename: (name, to) => order("POST", "/rename", { name, to }),
    destroy: (name) => order("POST", "/destroy", { name })
  }))

const ourFront = (foreign: number): Effect.Effect<Estate, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const flags = ["--foreign", String(foreign), "--time-scale", "0.03"]
    const running = yield* Program.rookery(["simulate", "vcenter", ...flags])
    const { url, control } = JSON.parse(yield* running.line(/^\{"url"/)) as { readonly url: string; control: string }
    const deed = (path: string, body = {}) =>
      Effect.tryPromise({
        try: () => fetch(`${control}/machines/${path}`, { method: "POST", body: JSON.stringify(body) }),
        catch: (cause) => new HarnessError({ message: `${path}: ${String(cause)}` })
      })
    return {
      url,
      password: "rookery",
      rename: (name, to) => deed(`${name}/rename`, { to }),
      destroy: (name) => deed(`${name}/destroy`)
    }
  })

/** Each figure is the average of so many, as a change may be told in one answer of the subscription or in two. */
const many = 3

interface Figures {
  /** Bytes of a job, from its event to the word that its machine is gone. */
  readonly job: number
  readonly exchanges: number
  /** Bytes of a machine's hatching, from the loss of another to its readiness. 0 = not measured. */
  readonly hatch: number
}

/**
 * A pool that is full loses all its machines and is filled again; then it serves jobs one after another. While jobs run the template has
 * another name, so that no clone of the refill is counted with them. All exchanges between the events count, the subscription's included;
 * one is counted when it ends.
 */
const measure = Effect.fnUntraced(function* (estate: Estate, hatching: boolean) {
  const between = yield* tap(estate.url)
  const cds = yield* Cds.start()
  const config = yield* Program.configFile({
    vcenter: between.url,
    cds: cds.url,
    token: cds.token,
    password: estate.password,
    datacenter: "DC0",
    template: "debian12",
    number: many,
    ipRange: "10.0.0.0/24",
    reaperInterval: "30s"
  })
  const hatchery = yield* Program.startHatchery(config)
  const pool = yield* full(hatchery, [])
  yield* quiet(between)
  const hatched: Array<Exchange> = []
  if (hatching) {
    yield* between.forget
    for (const name of pool) yield* estate.destroy(name)
    yield* full(hatchery, pool)
    yield* quiet(between)
    hatched.push(...between.exchanges)
  }

  yield* estate.rename("debian12", "aside")
  // A simulator with many machines takes its time to tell; until then a refill would be cloned and counted.
  yield* until(() => between.exchanges.some(toldAside), "the template's other name")
  yield* quiet(between)
  const seen: Array<Exchange> = []
  for (let n = 0; n < many; n++) {
    yield* between.forget
    const id = yield* cds.enqueue({ durationMs: 3000 })
    yield* cds.until(id, "Success")
    const ref = claimed(between.exchanges)
    yield* until(() => between.exchanges.some((exchange) => tellsAbsence(exchange, ref)), `the end of ${ref}`)
    seen.push(...between.exchanges)
    yield* quiet(between)
  }
  assert.deepStrictEqual([...hatched, ...seen].filter(isListing), [])
  return { job: bytesOf(seen) / many, exchanges: seen.length / many, hatch: bytesOf(hatched) / many }
}, Effect.scoped)

const toldAside = ({ operation, answer }: Exchange): boolean =>
  operation === "WaitForUpdatesEx" && answer.includes(">aside<")

const bytesOf = (exchanges: ReadonlyArray<Exchange>): number => exchanges.reduce((sum, { bytes }) => sum + bytes, 0)

const until = (holds: () => boolean, what: string) =>
  Effect.gen(function* () {
    while (!holds()) yield* Effect.sleep(20)
  }).pipe(
    Effect.timeoutOrElse({
      duration: "60 seconds",
      orElse: () => Effect.fail(new HarnessError({ message: `not within a minute: ${what}` }))
    })
  )

/** Waits until the pool is full of machines that are none of these, and answers their names. */
const full = (hatchery: Process.Running, but: ReadonlyArray<string>) =>
  Effect.gen(function* () {
    while (true) {
      const machines = yield* Program.machines(hatchery)
      const ready = machines.filter(({ name, state }) => state === "provisioned" && !but.includes(name))
      if (machines.length === many && ready.length === many) return ready.map(({ name }) => name)
      yield* Effect.sleep(100)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: "120 seconds",
      orElse: () => Effect.fail(new HarnessError({ message: `no full pool:\n${hatchery.lines.join("\n")}` }))
    })
  )

/** The machine of the reconfigure that names a job. */
const claimed = (exchanges: ReadonlyArray<Exchange>): string => {
  const claim = exchanges.find(
    ({ operation, request }) => operation === "ReconfigVM_Task" && request.includes("job_id")
  )
  return /<_this type="VirtualMachine">([^<]+)</.exec(claim?.request ?? "")?.[1] ?? "nothing"
}

const tell = (where: string, { job, exchanges, hatch }: Figures) =>
  console.log(
    `${where}: ${Math.round(job)} bytes a job in ${exchanges.toFixed(1)} exchanges` +
      (hatch === 0 ? "" : `, ${Math.round(hatch)} bytes a hatched machine`)
  )

/** Measures at a few machines of others and at a lot, and prints the figures. */
const compare = Effect.fnUntraced(function* (
  name: string,
  estate: (foreign: number) => Effect.Effect<Estate, HarnessError, Scope.Scope>,
  hatching: boolean,
  sizes: readonly [number, number]
) {
  const figuresOf = (foreign: number) =>
    Effect.scoped(Effect.flatMap(estate(foreign), (built) => measure(built, hatching))).pipe(
      Effect.tap((figures) => Effect.sync(() => tell(`${name}, ${foreign} machines of others`, figures)))
    )
  return { few: yield* figuresOf(sizes[0]), lot: yield* figuresOf(sizes[1]) }
})

const alike = (few: number, lot: number) => {
  assert.isAtLeast(lot / few, 0.9)
  assert.isAtMost(lot / few, 1.1)
}

real("the traffic of a job", Go.goMissing(), () => {
  // Hatching is left out here: this simulator tells all machines anew when one enters a view, which a vCenter does not.
  it.live("is the same at 50 and at 1,000 machines of others in VMware's simulator, and lists nothing", () =>
    Effect.gen(function* () {
      const { few, lot } = yield* compare("VMware's simulator", judge, false, [50, 1000])
      alike(few.job, lot.job)
    })
  )

  it.live("is the same at 50 and at 10,000 machines of others in our own simulator, and so is that of a hatching", () =>
    Effect.gen(function* () {
      const { few, lot } = yield* compare("our simulator", ourFront, true, [50, 10_000])
      alike(few.job, lot.job)
      alike(few.hatch, lot.hatch)
    })
  )
})
