/** What the simulated API remembers of its V1 side, and the few changes that several routes and timers share. */
import { isFinal } from "../../../../schema/Job.ts"
import { Sockets } from "../Sockets.ts"
import type { State } from "../State.ts"
import { eventFrame } from "./Job.ts"
import type { JobRecordV1 } from "./Job.ts"
import { render } from "./Messages.ts"
import { binary, sharedInfra } from "./Model.ts"
import type { ModelAsCode, ModelRecord } from "./Model.ts"
import { draftOf, jobOf, modelAsCodeOf } from "./Order.ts"
import type { JobOrderV1, ModelAsCodeOrder, ModelOrder } from "./Order.ts"
import type { ConsumerRecord, ServiceRecord } from "./Service.ts"
import type { WorkerRecordV1 } from "./Worker.ts"

/** Numbers for names, counted up from 1 in the order in which they are first asked for. */
class Numbers {
  readonly #names: Array<string>

  constructor(...first: ReadonlyArray<string>) {
    this.#names = [...first]
  }

  of(name: string): number {
    const index = this.#names.indexOf(name)
    return index < 0 ? this.#names.push(name) : index + 1
  }
}

/** A hatchery that is none of those that may sign in here. */
export const nobody = { id: 0, name: "other-hatchery" }

const bookUrl = (jobId: string): string => `/queue/workflows/${jobId}/book`

export class StateV1 {
  readonly sockets = new Sockets(eventFrame)
  /** By id. */
  readonly consumers = new Map<string, ConsumerRecord>()
  /** One for each consumer, by its id. */
  readonly services = new Map<string, ServiceRecord>()
  /** By the id in decimal digits. */
  readonly jobs = new Map<string, JobRecordV1>()
  readonly workers = new Map<string, WorkerRecordV1>()
  readonly models = new Map<number, ModelRecord>()
  /** By path, `PROJECT/vcs/repository/model`. */
  readonly modelsAsCode = new Map<string, ModelAsCode>()
  /** Ids of groups and of projects. */
  readonly groups = new Numbers(sharedInfra)
  readonly projects = new Numbers()
  #services = 0
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  /** Ids of consumers count up too, in the shape of a UUID: so the V1 side takes no number from the source of the V2 side's ids. */
  addConsumer(make: (id: string) => Omit<ConsumerRecord, "id">): ConsumerRecord {
    const id = `00000000-0000-4000-8000-${String(this.consumers.size + 1).padStart(12, "0")}`
    const consumer = { id, ...make(id) }
    this.consumers.set(id, consumer)
    return consumer
  }

  /** The consumer's service, made where there is none; then workers that lost their hatchery come back to it (cds-contract 2.2). */
  serviceOf(consumer: ConsumerRecord, first: Pick<ServiceRecord, "region" | "ignoreJobWithNoRegion">): ServiceRecord {
    const known = this.services.get(consumer.id)
    const service: ServiceRecord = known ?? {
      ...first,
      id: ++this.#services,
      consumer,
      httpUrl: "",
      publicKey: "",
      config: null,
      signins: 0,
      lastHeartbeatAt: 0,
      statusLines: []
    }
    this.services.set(consumer.id, service)
    for (const worker of this.workers.values()) {
      if (worker.hatcheryName === consumer.name) worker.hatcheryId ??= service.id
    }
    return service
  }

  /** As the API does with a service whose heartbeats stop: its workers keep the name alone. */
  deleteService(service: ServiceRecord): void {
    this.services.delete(service.consumer.id)
    for (const worker of this.workers.values()) {
      if (worker.hatcheryId === service.id) worker.hatcheryId = undefined
    }
  }

  enqueue(order: JobOrderV1, queuedAt: number): JobRecordV1 {
    const job = jobOf(order, this.jobs.size + 1, queuedAt)
    this.jobs.set(job.id, job)
    this.#state.changeStatus(job, "Waiting", queuedAt, "queued")
    this.say(job, "MsgSpawnInfoJobInQueue", [], queuedAt)
    this.sockets.publish(job, this.#state.switches.eventCopies)
    return job
  }

  /** The job of that id, its booking ended where its time is over; undefined when it has no row. */
  job(id: string, now: number): JobRecordV1 | undefined {
    const job = this.jobs.get(id)
    if (job === undefined || job.gone) return undefined
    this.endBooking(job, now)
    return job
  }

  /** Puts a line on the job; answers what is wrong with it. */
  say(job: JobRecordV1, id: string, args: ReadonlyArray<unknown>, at: number): string | undefined {
    const { level, text, flaw } = render(id, args)
    job.infos.push({ at, level, message: text, id })
    return flaw
  }

  book(job: JobRecordV1, service: { readonly id: number; readonly name: string }, ms: number, now: number): void {
    job.booking = { serviceId: service.id, name: service.name, until: now + ms }
    if (job.status !== "Waiting") return
    job.hatcheryName = service.name
    this.#state.changeStatus(job, "Scheduling", now, "hatchery book")
  }

  /** The booking is removed; a job that nobody runs waits again, and no event tells of it. */
  free(job: JobRecordV1, at: number, why: string): void {
    job.booking = undefined
    this.#state.unanswered.delete(`POST ${bookUrl(job.id)}`)
    if (job.status !== "Scheduling") return
    job.hatcheryName = ""
    this.#state.changeStatus(job, "Waiting", at, why)
  }

  /** A booking whose time is over is none. */
  endBooking(job: JobRecordV1, now: number): void {
    const { booking } = job
    if (booking === undefined || now < booking.until) return
    if (job.status === "Scheduling" && booking.serviceId !== nobody.id) {
      this.#state.violate(now, "abandoned-take", job.id, `the booking of ${booking.name} has ended`)
    }
    this.free(job, booking.until, "booking ended")
  }

  /** A worker that is disabled while it builds fails its job (6.2). */
  disable(worker: WorkerRecordV1, now: number): void {
    const job = this.jobs.get(worker.jobId)
    if (worker.status === "Building" && job !== undefined && !isFinal(job.status)) {
      this.say(job, "MsgSpawnInfoWorkerDisabledByHatchery", [worker.name], now)
      this.#state.changeStatus(job, "Fail", now, "worker disabled")
    }
    worker.status = "Disabled"
  }

  modelByPath(group: string, name: string): ModelRecord | undefined {
    return [...this.models.values()].find(({ draft }) => draft.group === group && draft.name === name)
  }

  /** Adds a model, or changes the one of that group and name; both need a registration, unless the order says that there was one. */
  addModel(order: ModelOrder, now: number): ModelRecord {
    const draft = draftOf(order)
    const model: ModelRecord = this.modelByPath(draft.group, draft.name) ?? {
      id: this.models.size + 1,
      draft,
      lastModifiedAt: now,
      needRegistration: true,
      checkRegistration: false,
      lastRegistrationAt: undefined,
      registeredOs: undefined,
      registeredArch: undefined,
      capabilities: [],
      spawnErrors: [],
      booking: undefined
    }
    Object.assign(model, { draft, lastModifiedAt: now, needRegistration: true, spawnErrors: [] })
    this.models.set(model.id, model)
    if (order.registered !== undefined) this.registered(model, order.registered.binaries, "linux", "amd64", now)
    model.checkRegistration = order.checkRegistration ?? false
    return model
  }

  /** A worker has looked at what the model has (7.1). */
  registered(model: ModelRecord, binaries: ReadonlyArray<string>, os: string, arch: string, now: number): void {
    model.capabilities = binaries.map(binary)
    if (os !== "" && arch !== "") {
      model.registeredOs = os
      model.registeredArch = arch
    }
    model.needRegistration = false
    model.checkRegistration = false
    model.lastRegistrationAt = now
    model.spawnErrors = []
    model.booking = undefined
  }

  addModelAsCode(order: ModelAsCodeOrder): void {
    this.modelsAsCode.set(order.path, modelAsCodeOf(order))
  }
}
