/**
 * Looks after the V1 models: each has a template that was built from its base image and carries its stamp, and CDS knows what its workers can do
 * (seed 001 sections 4.1 and 6.7; cds-contract 10.7). What there is, is read from the inventory at each look; nothing is remembered but failures.
 */
import { Clock, Context, Effect, Fiber, Layer, Queue, Stream } from "effect"
import type { VSphereError } from "../../schema/Errors.ts"
import { type MachineFacts, readable, unreadableReason } from "../../schema/Machine.ts"
import {
  type ModelStamp,
  type ModelV1,
  mostSpawnErrors,
  needsRegistration,
  pathOf,
  sameStamp,
  stampOf
} from "../../schema/ModelV1.ts"
import { Cds } from "../../services/Cds.ts"
import { EventLog } from "../../services/EventLog.ts"
import { Ids } from "../../services/Ids.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { VSphere } from "../../services/VSphere.ts"
import { makeConceive } from "../pool/conceive.ts"
import { asideName, buildName, isBuildOf, retired, standingOf, templatesOf } from "./modelTemplates.ts"
import { Registry } from "../Registry.ts"
import { Signals, type Signal } from "../Signals.ts"
import { Troubles } from "../jobs/Troubles.ts"
import { makeRegistration } from "../vm/works/registration.ts"
import { type Claim, claimOf, isBuild } from "../vm/State.ts"
import { WorkerModels } from "./WorkerModels.ts"

export class Registrar extends Context.Service<
  Registrar,
  {
    /** Never ends by itself. */
    readonly run: Effect.Effect<void>
  }
>()("rookery/actors/Registrar") {
  static readonly layer = Layer.effect(
    Registrar,
    Effect.gen(function* () {
      const cds = yield* Cds
      const conceive = yield* makeConceive
      const ids = yield* Ids
      const inventory = yield* Inventory
      const log = yield* EventLog
      const registration = yield* makeRegistration
      const registry = yield* Registry
      const settings = yield* Settings
      const signals = yield* Signals
      const vsphere = yield* VSphere
      const workerModels = yield* WorkerModels
      const hatchery = settings.cds.name
      const limit = settings.maxConcurrentRegistering
      const wake = yield* Queue.dropping<void>(1)
      const troubles = new Troubles()
      /** Why a model gets no template or no registration, or an old template stays, as last told. */
      const told = new Map<string, string>()

      const machines = Effect.map(inventory.view, (view) => [...view.machines.values()])

      const tell = Effect.fnUntraced(function* (subject: string, reason: string, kind = "the V1 model") {
        if (told.get(subject) === reason) return
        told.set(subject, reason)
        yield* Effect.logWarning(`${kind} ${subject}: ${reason}`)
        yield* log.append({ kind: "decision", subject, text: reason })
      })

      /** What kept the model from it is over. */
      const begun = Effect.fnUntraced(function* (subject: string, text: string) {
        told.delete(subject)
        yield* log.append({ kind: "decision", subject, text })
      })

      /** `blamed`: the model itself. Only then CDS is told, as it would have a model left alone after some errors. */
      const failed = Effect.fnUntraced(function* (model: ModelStamp, reason: string, blamed: boolean) {
        const { path } = model
        const { news } = troubles.again(versionOf(model), reason, yield* Clock.currentTimeMillis)
        if (news) yield* Effect.logWarning(`the template of the V1 model ${path} cannot be built: ${reason}`)
        yield* log.append({ kind: "decision", subject: path, text: `building failed: ${reason}` })
        if (!blamed) return
        const [error = reason, ...tail] = reason.split("\n")
        yield* registration.failed(model, error, tail.join("\n")).pipe(
          Effect.timeout("2 minutes"),
          Effect.catch((failure) =>
            Effect.logWarning(`CDS could not be told about the V1 model ${path}: ${failure.message}`)
          )
        )
      })

      const rename = Effect.fnUntraced(function* ({ ref, name }: MachineFacts, to: string) {
        yield* vsphere.rename(ref, to)
        yield* log.append({ kind: "decision", subject: name, text: `renamed to ${to}` })
      })

      /** Out of the way of its successor, under a name that says what it was. */
      const putAside = Effect.fnUntraced(function* (older: MachineFacts) {
        const [known] = templatesOf([older], hatchery)
        if (known !== undefined) yield* rename(older, asideName(known.stamp))
      })

      const atWork = () =>
        [...registry.machines.values()].filter(
          ({ vm: { state } }) => isBuild(state) || (claimOf(state)?.registers === true && state._tag !== "Reaping")
        ).length

      /** Nothing more is begun for a model that fails, or while as much is going on as may. */
      const mayBegin = Effect.fnUntraced(function* (model: ModelV1) {
        if (model.spawnErrors > mostSpawnErrors) {
          yield* tell(
            pathOf(model),
            `it failed ${model.spawnErrors} times and is left alone until it is changed in CDS`
          )
          return false
        }
        return atWork() < limit && !troubles.isPausing(versionOf(stampOf(model)), yield* Clock.currentTimeMillis)
      })

      const build = Effect.fnUntraced(function* (model: ModelV1) {
        const path = pathOf(model)
        const vms = [...registry.machines.values()].map(({ vm }) => vm)
        if (vms.some((vm) => isBuildOf(path, vm)) || !(yield* mayBegin(model))) return
        const shown = (yield* machines).map((facts) => facts.name)
        const name = buildName(model, new Set([...shown, ...vms.map(({ poolName }) => poolName)]))
        if (model.image === "") return yield* failed(stampOf(model), "it has no image", true)
        const source = { template: model.image, model: stampOf(model), builds: true } as const
        yield* conceive(source, { named: () => Effect.succeed(name) }).pipe(
          Effect.andThen(begun(path, `its template is built from ${model.image}`)),
          Effect.catch((error) =>
            error._tag === "VSphereError"
              ? failed(stampOf(model), error.message, isOwn(error))
              : tell(path, `left for now: ${error.message}`)
          )
        )
      })

      const registering = Effect.fnUntraced(function* (model: ModelV1) {
        const claim: Claim = {
          jobId: "",
          registers: true,
          region: "",
          projectKey: "",
          workerName: yield* ids.workerName(`register-${model.name}`),
          modelName: pathOf(model),
          model: { id: model.id, ...stampOf(model) },
          login: undefined,
          size: undefined,
          startedAt: yield* Clock.currentTimeMillis
        }
        return claim
      })

      const isRegistering = (path: string) =>
        [...registry.machines.values()].some(({ vm }) => {
          const claim = claimOf(vm.state)
          return claim?.registers === true && claim.model?.path === path
        })

      /** The list may be seconds old: a model that was registered meanwhile is left alone. */
      const stillNeeded = (model: ModelV1) =>
        Effect.map(cds.models, ({ models }) =>
          models.some((one) => one.id === model.id && sameStamp(stampOf(one), stampOf(model)) && needsRegistration(one))
        )

      /** Booked before there is a machine, so that two hatcheries do not clone for the same; a booking ends by itself after six minutes. */
      const register = Effect.fnUntraced(function* (model: ModelV1) {
        const path = pathOf(model)
        if (isRegistering(path) || !(yield* mayBegin(model)) || !(yield* stillNeeded(model))) return
        const claim = Effect.gen(function* () {
          yield* cds.bookModel(model)
          return yield* registering(model)
        })
        const { vm } = yield* conceive({ template: model.name, model: stampOf(model) }, { claim, size: undefined })
        yield* begun(path, `it is registered by ${vm.poolName}`)
      })

      /** What there is to be done for one model now. */
      const tend = Effect.fnUntraced(function* (model: ModelV1) {
        const standing = standingOf(model, yield* machines, hatchery)
        switch (standing._tag) {
          case "Taken":
            return yield* tell(pathOf(model), standing.reason)
          case "Missing":
            return yield* build(model)
          case "Aside":
            if (standing.older !== undefined) yield* putAside(standing.older)
            yield* rename(standing.template, model.name)
            return needsRegistration(model) ? yield* register(model) : undefined
          case "Ready":
            return needsRegistration(model) ? yield* register(model) : undefined
        }
      })

      /** A machine that cannot be read may descend from any template. */
      const retire = Effect.fnUntraced(function* (present: ReadonlyArray<ModelV1>) {
        const all = yield* machines
        const living = [...registry.machines.values()].map(({ vm }) => vm)
        const paths = templatesOf(all, hatchery).map(({ stamp }) => stamp.path)
        const gone = new Set(yield* Effect.filter(paths, workerModels.isGone))
        const unread = all.find((facts) => !readable(facts))
        for (const old of retired({ present, gone }, all, living, hatchery)) {
          if (unread !== undefined) {
            const reason = `it is not needed, and stays: ${unread.name} may descend from it and ${unreadableReason(unread)}`
            yield* tell(old.name, reason, "the template")
            continue
          }
          yield* inventory.certain
          yield* vsphere.destroy(old.ref)
          yield* begun(old.name, "no machine descends from it: removed")
        }
      })

      const pass = Effect.gen(function* () {
        const known = yield* workerModels.list
        if (known === undefined || !(yield* inventory.view).complete || (yield* inventory.doubt) !== undefined) return
        const ours = known.models.filter(({ type }) => type === "vsphere").toSorted(byNeed)
        for (const model of ours)
          yield* tend(model).pipe(
            Effect.catch((error) =>
              tell(pathOf(model), `left for now: ${"reason" in error ? error.reason : error.message}`)
            )
          )
        yield* Effect.catch(retire(ours), ({ message }) => Effect.logWarning(`an old template stays: ${message}`))
      }).pipe(Effect.withSpan("Registrar.pass"))

      const heard = (signal: Signal): Effect.Effect<void> => {
        switch (signal._tag) {
          case "Built":
            return Effect.sync(() => {
              if (signal.model !== undefined) troubles.forget(versionOf(signal.model))
              Queue.offerUnsafe(wake, undefined)
            })
          case "BuildFailed":
            return signal.model === undefined ? Effect.void : failed(signal.model, signal.reason, signal.own)
          default:
            return Effect.void
        }
      }

      const passes = Effect.gen(function* () {
        yield* workerModels.first
        while (true) {
          yield* pass
          yield* Effect.timeoutOption(Queue.take(wake), settings.times.registerMs)
        }
      })

      return Registrar.of({
        run: Effect.gen(function* () {
          const listening = yield* Effect.forkChild(Stream.runForEach(signals.all, heard))
          yield* Effect.raceFirst(passes, Fiber.join(listening))
        })
      })
    })
  )
}

/** What fails is one version of a model: a corrected one has no pause to wait out. */
const versionOf = ({ path, lastModified }: ModelStamp): string => `${path} ${lastModified}`

/** An image that vCenter does not have, or cannot clone. */
const isOwn = ({ kind }: VSphereError): boolean => kind === "gone" || kind === "invalid"

const need = ({ needRegistration, checkRegistration }: ModelV1): number =>
  (needRegistration ? 2 : 0) + (checkRegistration ? 1 : 0)

/** Those in most need first, then by their names. */
const byNeed = (a: ModelV1, b: ModelV1): number => need(b) - need(a) || (pathOf(a) < pathOf(b) ? -1 : 1)
