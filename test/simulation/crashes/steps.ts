/** The steps that flows are made of. */
import { Context, Effect } from "effect"
import { Registry } from "../../../src/actors/Registry.ts"
import type { StateTag } from "../../../src/actors/vm/State.ts"
import type { Fault } from "../../../src/layers/simulated/cds/Knobs.ts"
import type { JobOrder } from "../../../src/layers/simulated/cds/Order.ts"
import type { JobOrderV1, ModelOrder } from "../../../src/layers/simulated/cds/v1/Order.ts"
import type { Behaviour } from "../../../src/layers/simulated/cds/SimWorker.ts"
import type { SimFaultInput } from "../../../src/layers/simulated/vcenter/FaultBook.ts"
import type { Machine } from "../../../src/layers/simulated/vcenter/Machine.ts"
import type { JobStatus } from "../../../src/schema/Job.ts"
import type { ModelProvisionSettings, ProvisionSettings, SettingsShape } from "../../../src/schema/Settings.ts"
import { unconverged } from "../promises.ts"
import { end, eventsOf, type Site, type Stage, want } from "../Stage.ts"
import type { Step } from "./Flow.ts"

/** The hatchery that the grid is about. */
export const siteOf = ({ sites }: Stage): Site => sites[0]!

/** So many ready machines of `debian12`. */
export const debian = (number: number): ReadonlyArray<ProvisionSettings> => [{ template: "debian12", number }]

/** A V1 model, to be built from `debian12`; it needs a registration. */
export const unregistered: ModelOrder = { name: "build-env" }
/** One that a hatchery has to build its template for, and no more. */
export const model: ModelOrder = { ...unregistered, registered: { binaries: ["git"] } }
const modelPath = "shared.infra/build-env"

/** So many ready machines of it. */
export const ofModel = (number: number): ReadonlyArray<ModelProvisionSettings> => [{ modelPath, number }]

/** Its owner changes it: the template has to be built again. */
export const changed: Step = {
  text: "the V1 model is changed",
  does: ({ cds }) => Effect.asVoid(cds.addModel({ ...model, password: "worker", preCmd: "true" }))
}

/** All is as it has to be at the end: no job, no machine too many, the pool ready. */
export const settled: Step = {
  text: "all is done",
  until: (stage) => Effect.map(unconverged(stage), (missing) => missing.length === 0)
}

/** The process has its pool ready. */
export const ready: ReadonlyArray<Step> = [settled]

/** Puts a job into the queue. Its first tries have these workers, then it has plain ones. */
export const job = (order: JobOrder = {}, ...workers: ReadonlyArray<Behaviour>): Step => ({
  text: "a job is queued",
  does: ({ cds, behaviours }) =>
    Effect.map(cds.enqueue({ durationMs: 10_000, ...order }), (ids) => {
      for (const id of ids) behaviours.set(id, [...workers])
    })
})

/** The same for a V1 job. */
export const jobV1 = (order: JobOrderV1 = {}, ...workers: ReadonlyArray<Behaviour>): Step => ({
  text: "a V1 job is queued",
  does: ({ cds, behaviours }) =>
    Effect.map(cds.enqueueV1({ durationMs: 10_000, ...order }), (ids) => {
      for (const id of ids) behaviours.set(id, [...workers])
    })
})

/** The first workers that register a V1 model behave like this. */
export const workersRegister = (...workers: ReadonlyArray<Behaviour>): Step => ({
  text: "workers that register are told how",
  does: ({ behaviours }) => Effect.sync(() => void behaviours.set("", [...workers]))
})

/** The jobs come to this status. */
export const jobs = (status: JobStatus): Step => ({
  text: `the jobs are ${status}`,
  until: ({ cds }) => Effect.sync(() => cds.state.allJobs().every((job) => job.status === status))
})

/** The states that the machines of the process of the moment are in. */
export const standing = (stage: Stage): ReadonlyArray<StateTag> => {
  const { process } = siteOf(stage)
  return process === undefined
    ? []
    : [...Context.get(process.context, Registry).machines.values()].map(({ vm }) => vm.state._tag)
}

/** Watched closely: some states are left soon. */
export const someMachineIs = (state: StateTag): Step => ({
  text: `some machine is ${state}`,
  until: (stage) => Effect.sync(() => standing(stage).includes(state)),
  watchMs: 50
})

export const noMachineIs = (state: StateTag): Step => ({
  text: `no machine is ${state}`,
  until: (stage) => Effect.sync(() => !standing(stage).includes(state))
})

/** Watched closely too. */
export const someMachineHas = (text: string, test: (machine: Machine) => boolean): Step => ({
  text: `some machine ${text}`,
  until: (stage) => Effect.sync(() => stage.vcenter.owned(siteOf(stage).name).some(test)),
  watchMs: 50
})

export const someTaskRuns: Step = {
  text: "some task runs",
  until: ({ vcenter }) => Effect.sync(() => vcenter.summary().tasksRunning > 0),
  watchMs: 10
}

/** The process of the moment has adopted a machine in this state, and the machine has left it. */
export const goesOnFrom = (state: StateTag): Step => ({
  text: `a machine that was adopted as ${state} goes on`,
  until: (stage) =>
    Effect.map(eventsOf(siteOf(stage)), (events) =>
      events.some(
        ({ subject, text }, index) =>
          text === `adopted → ${state}` &&
          events.slice(index + 1).some((later) => later.subject === subject && later.text.startsWith(`${state} → `))
      )
    )
})

/** Killed, and not started again by anybody: the flow begins with the start of another process. */
export const killed: Step = {
  text: "the process is killed",
  does: (stage) => end(stage, siteOf(stage), "kill", Infinity)
}

/** Told to stop; a service manager starts it again. */
export const stopped: Step = {
  text: "the process is stopped",
  does: (stage) => end(stage, siteOf(stage), "stop", 5_000)
}

export const vcenterHas = (fault: SimFaultInput): Step => ({
  text: `vCenter: ${JSON.stringify(fault)}`,
  does: ({ vcenter }) => vcenter.inject(fault)
})

export const cdsHas = (fault: Fault): Step => ({
  text: `CDS: ${JSON.stringify(fault)}`,
  does: ({ cds }) => cds.fault(fault)
})

/** From now on so many machines are kept ready, by this process and by those after it. */
const kept = (number: number, pool: string, settings: Partial<SettingsShape>): Step => ({
  text: `the pool is to have ${number}`,
  does: (stage) =>
    Effect.suspend(() => {
      const site = siteOf(stage)
      Object.assign(site.world.settings, settings)
      return want(site, pool, number)
    })
})

export const resized = (number: number): Step => kept(number, "debian12", { provision: debian(number) })

/** The same for the pool of the V1 model. */
export const resizedV1 = (number: number): Step => kept(number, modelPath, { modelProvision: ofModel(number) })

/** Something that is done to each of our machines, past the hatchery. */
export const toEach = (text: string, act: (stage: Stage, machine: Machine) => void): Step => ({
  text,
  does: (stage) =>
    Effect.sync(() => {
      for (const machine of stage.vcenter.owned(siteOf(stage).name)) act(stage, machine)
    })
})
