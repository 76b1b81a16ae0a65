/** The V1 side: its jobs, and what goes wrong with its models, their templates, bookings and sessions. */
import { Clock, Effect } from "effect"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import type { Fault } from "../../../src/layers/simulated/cds/Knobs.ts"
import type { Behaviour } from "../../../src/layers/simulated/cds/SimWorker.ts"
import type { ModelRecord } from "../../../src/layers/simulated/cds/v1/Model.ts"
import type { JobOrderV1, ModelOrder } from "../../../src/layers/simulated/cds/v1/Order.ts"
import type { Dice } from "../Dice.ts"
import type { Deed, Kinds } from "../plan.ts"
import { annotationOf, later, type Stage, want } from "../Stage.ts"
import { faulty } from "./cds.ts"
import { attempted } from "./people.ts"

/** The models of a run that has V1; the first one needs a registration. */
export const models: ReadonlyArray<ModelOrder> = [
  { name: "build-env" },
  { name: "tools", registered: { binaries: ["git"] }, flavor: "large" }
]
const names = models.map(({ name }) => name)

/** The V2 model as code that is the default for V1 jobs. */
export const asCode = { path: "PROJ/github/acme/app/debian", branch: "main" }

const enqueue = (dice: Dice, order: JobOrderV1, workers: ReadonlyArray<Behaviour> = []): Deed => {
  const model = dice.chance(0.7) ? { model: dice.pick(names) } : {}
  const whole: JobOrderV1 = { count: dice.pick([1, 1, 2]), durationMs: dice.seconds(1, 240), ...model, ...order }
  return {
    text: JSON.stringify({ ...whole, workers }),
    does: Effect.fnUntraced(function* ({ cds, behaviours }) {
      for (const id of yield* cds.enqueueV1(whole)) behaviours.set(id, [...workers])
    })
  }
}

const plain = (dice: Dice): Deed => enqueue(dice, { outcome: dice.chance(0.15) ? "Fail" : "Success" })

export const jobsV1: Kinds = {
  "V1 job": plain,
  "another V1 job": plain,
  "one more V1 job": plain,
  "V1 job with a flavor": (dice) => enqueue(dice, { flavor: "large" }),
  "V1 job that is stopped": (dice) =>
    enqueue(dice, {
      cancel: { on: dice.pick(["Waiting", "Scheduling", "Building"]), afterMs: dice.pick([0, 50, 1_000, 10_000]) }
    }),
  "V1 job longer than the TTL": (dice) => enqueue(dice, { count: 1, durationMs: dice.minutes(25, 40) }),
  "V1 worker never signs in": (dice) => enqueue(dice, { count: 1 }, [{ neverRegisters: true }]),
  "V1 worker signs in late": (dice) => enqueue(dice, { count: 1 }, [{ startMs: dice.seconds(30, 720) }]),
  "V1 worker dies": (dice) => enqueue(dice, { count: 1, durationMs: 120_000 }, [{ diesAfterMs: dice.seconds(1, 100) }]),
  "V1 job that nobody runs": (dice) => enqueue(dice, { requirements: [{ type: "service", value: "postgres" }] })
}

/** Done to one of the V1 models. */
const toModel = (
  dice: Dice,
  act: (stage: Stage, model: ModelRecord, now: number) => Effect.Effect<void>,
  more = ""
): Deed => {
  const name = dice.pick(names)
  return {
    text: `${name} ${more}`.trim(),
    does: Effect.fnUntraced(function* (stage) {
      const model = [...stage.cds.state.v1.models.values()].find(({ draft }) => draft.name === name)
      if (model !== undefined) yield* act(stage, model, yield* Clock.currentTimeMillis)
    })
  }
}

/** Done to the template of one of the V1 models, whatever its version. */
const toTemplate = (dice: Dice, act: (stage: Stage, machine: Machine) => boolean): Deed => {
  const where = dice.next()
  return {
    text: `at ${where.toFixed(2)}`,
    does: (stage) =>
      Effect.sync(() => {
        const all = stage.vcenter
          .machines()
          .filter((machine) => machine.template && annotationOf(machine)?.workerModelPath !== undefined)
        const machine = all[Math.floor(where * all.length)]
        if (machine !== undefined) attempted(() => act(stage, machine))
      })
  }
}

const paths = ["/queue/workflows", "/book", "/infos", "/result", "/worker/model", "/worker", "/services/", "/builtin/"]

const broken = (dice: Dice, fault: Fault): Deed =>
  faulty({ ...fault, path: dice.pick(paths), times: dice.pick([1, 1, 3, 10, 40]) })

const setDisabled = (model: ModelRecord, disabled: boolean): void => {
  model.draft = { ...model.draft, disabled }
}

const checked = Effect.fnUntraced(function* (model: ModelRecord) {
  model.checkRegistration = true
})

/** Its template is built again. */
export const changed = (dice: Dice): Deed => {
  const more = dice.chance(0.5) ? {} : { registered: { binaries: ["git"] } }
  return toModel(dice, ({ cds }, { draft }) => Effect.asVoid(cds.addModel({ ...draft, ...more })), JSON.stringify(more))
}

/** The simulated CDS gives it to a model that was ordered without one. */
const usualPostCmd = "sudo shutdown -h now"

/** Its post command leaves the machine on, until somebody sees to it. */
const hanging = (dice: Dice): Deed => {
  const forMs = dice.minutes(4, 20)
  return toModel(
    dice,
    Effect.fnUntraced(function* (stage, { draft }) {
      yield* stage.cds.addModel({ ...draft, postCmd: "true" })
      // When this comes twice, the second one finds the first one's.
      yield* later(stage, forMs, Effect.asVoid(stage.cds.addModel({ ...draft, postCmd: usualPostCmd })))
    }),
    `for ${forMs / 1_000} s`
  )
}

/** What may go wrong where there is V1. */
export const troublesV1: Kinds = {
  "V1 model changed": changed,
  "V1 post command hangs": hanging,
  "V1 model is to be checked": (dice) => toModel(dice, (_, model) => checked(model)),
  "V1 model disabled": (dice) => {
    const forMs = dice.seconds(5, 600)
    return toModel(
      dice,
      Effect.fnUntraced(function* (stage, model) {
        setDisabled(model, true)
        yield* later(
          stage,
          forMs,
          Effect.sync(() => setDisabled(model, false))
        )
      }),
      `for ${forMs / 1_000} s`
    )
  },
  "V1 model booked by others": (dice) =>
    toModel(dice, (stage, model, now) =>
      Effect.sync(() => {
        model.booking = { serviceId: 0, until: now + stage.cds.timings.modelBookingMs }
      })
    ),
  "registration worker dies": (dice) => {
    const workers: ReadonlyArray<Behaviour> = Array.from({ length: dice.pick([1, 2, 6]) }, () => ({
      neverRegisters: true
    }))
    return toModel(dice, ({ behaviours }, model) => {
      behaviours.set("", [...workers])
      return checked(model)
    })
  },
  "V1 template destroyed": (dice) => toTemplate(dice, ({ vcenter }, { ref }) => vcenter.others.destroy(ref.value)),
  "V1 template renamed": (dice) => {
    const name = `renamed-${dice.between(100, 999)}`
    return toTemplate(dice, ({ vcenter }, { ref }) => vcenter.others.rename(ref.value, name))
  },
  "V1 job booked by others": (dice) => {
    const where = dice.next()
    return {
      text: `at ${where.toFixed(2)}`,
      does: ({ cds }) => {
        const waiting = [...cds.state.v1.jobs.values()].filter(({ status }) => status === "Waiting")
        const job = waiting[Math.floor(where * waiting.length)]
        return job === undefined ? Effect.void : cds.holdTakeLock(job.id)
      }
    }
  },
  "V1 CDS refuses": (dice) => broken(dice, { kind: "answer", status: dice.pick([400, 403, 404, 409, 500, 503]) }),
  "V1 CDS drops": (dice) => broken(dice, { kind: dice.pick(["dropped", "lost", "malformed"]) }),
  "V1 CDS is slow": (dice) => broken(dice, { kind: "slow", ms: dice.pick([500, 9_000, 30_000]) }),
  "V1 session lost": () => ({
    text: "",
    does: ({ cds }) => Effect.sync(() => cds.state.sessions.revoke(({ kind }) => kind === "consumer"))
  }),
  "V1 service deleted": () => ({ text: "", does: ({ cds, sites }) => cds.deleteService(sites[0]?.name ?? "") }),
  "V1 worker disabled": (dice) => {
    const where = dice.next()
    return {
      text: `at ${where.toFixed(2)}`,
      does: ({ cds }) => {
        const workers = [...cds.state.v1.workers.values()]
        return cds.disableWorker(workers[Math.floor(where * workers.length)]?.name ?? "")
      }
    }
  },
  "V1 pool number": (dice) => {
    const [pool, number] = [`shared.infra/${dice.pick(names)}`, dice.between(0, 2)]
    return {
      text: `${pool} ${number}`,
      does: ({ sites: [site] }) => (site?.wanted.has(pool) === true ? want(site, pool, number) : Effect.void)
    }
  }
}
