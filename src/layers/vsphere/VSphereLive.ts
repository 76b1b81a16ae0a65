/**
 * `VSphere` on the session: placement, clone, guarded reconfigure, power and destroy. Every task is followed by the inventory's
 * subscription; a machine that is not ours is never sent anything.
 */
import { Effect, Layer, Schedule } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import type { ConfigInvalid } from "../../schema/Errors.ts"
import { VSphereError } from "../../schema/Errors.ts"
import { isOff, type MachineFacts, type MachineRef } from "../../schema/Machine.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import type { ClonePlan } from "../../services/VSphere.ts"
import { VSphere } from "../../services/VSphere.ts"
import { cloneSpec } from "./CloneSpec.ts"
import { configProblem } from "./configProblem.ts"
import { Disks } from "./Disks.ts"
import { DiskSizes } from "./DiskSizes.ts"
import { callFailed, retold } from "./faults.ts"
import { MachineCalls } from "./MachineCalls.ts"
import { Placement } from "./Placement.ts"
import { makeMarking } from "./Marking.ts"
import { makePower } from "./Power.ts"
import { makeReconfigure } from "./Reconfigure.ts"
import { Templates } from "./Templates.ts"
import { VimSession } from "./VimSession.ts"
import { cardTypes } from "./wire/Devices.ts"

const make = Effect.gen(function* () {
  const vim = yield* VimSession
  const inventory = yield* Inventory
  const calls = yield* MachineCalls
  const placement = yield* Placement
  const { minFreeDatastoreGB, provision, times, vsphere } = yield* Settings
  const power = yield* makePower
  const disks = new Disks()
  const reconfigure = yield* makeReconfigure(disks)
  const marking = yield* makeMarking
  const templates = new Templates(vim, inventory)
  const diskSizes = new DiskSizes(vim)

  const clone = Effect.fn("VSphere.clone")(function* (
    plan: ClonePlan,
    accepted?: Effect.Effect<void>,
    unwanted?: Effect.Effect<void>
  ) {
    yield* Effect.annotateCurrentSpan({ "vm.name": plan.name, "vm.id": plan.id, "vm.template": plan.template })
    const source = yield* templates.find(plan.template)
    const outdated = Effect.andThen(
      placement.forget,
      Effect.sync(() => templates.forget(source.ref))
    )
    const ref = yield* sendClone(plan, source, accepted, unwanted).pipe(
      Effect.tapError((error) => (error.kind === "gone" || error.kind === "invalid" ? outdated : Effect.void)),
      Effect.mapError((error) => (error.kind === "gone" ? retold(error, { kind: "busy" }) : error))
    )
    yield* Effect.annotateCurrentSpan({ "vm.ref": ref })
    if (!(yield* inventory.view).machines.has(ref)) yield* Effect.ignore(inventory.reread(ref))
    return ref
  })

  /** Nothing is refused for a figure that cannot be read. */
  const mayClone = Effect.gen(function* () {
    const doubt = yield* inventory.doubt
    if (doubt !== undefined) return yield* busy(`the inventory is in doubt: ${doubt.reason}`)
    const { freeSpace } = yield* inventory.resources
    const free = Math.floor((freeSpace ?? Infinity) / 2 ** 30)
    if (free >= minFreeDatastoreGB) return
    return yield* busy(
      `the datastore has ${free} GB free, less than hatchery.vsphere.rookery.minFreeDatastoreGB = ${minFreeDatastoreGB}`
    )
  })

  const sendClone = Effect.fnUntraced(function* (
    plan: ClonePlan,
    source: MachineFacts,
    accepted: Effect.Effect<void> | undefined,
    unwanted: Effect.Effect<void> | undefined
  ) {
    const placed = yield* placement.current.pipe(Effect.mapError(notPlaced))
    const hardware = yield* templates.hardwareOf(source).pipe(Effect.mapError(callFailed("RetrievePropertiesEx")))
    if (hardware.cards.length === 0)
      return yield* new VSphereError({
        operation: "CloneVM_Task",
        kind: "invalid",
        message: `template ${plan.template} has no network card`
      })
    const linked = hardware.snapshot !== undefined
    const growth = yield* disks.growth(plan.template, hardware.disks, plan.flavor ?? {}, linked)
    const spec = cloneSpec(plan, hardware, placed, cardTypes[vsphere.cardName.toLowerCase()], growth)
    const args = { folder: placed.folder, name: plan.name, spec }
    const result = yield* calls.run("CloneVM_Task", source.ref, args, times.cloneMs, accepted, unwanted)
    if (result !== undefined) return result
    return yield* new VSphereError({
      operation: "CloneVM_Task",
      kind: "unknown",
      message: "the task does not tell which machine it made"
    })
  })

  const destroy = Effect.fn("VSphere.destroy")(function* (ref: MachineRef) {
    yield* inventory.expectGone(ref)
    const gone = inventory.until(ref, () => false).pipe(Effect.catchIf(isGone, () => Effect.void))
    yield* Effect.gen(function* () {
      yield* inventory.reread(ref)
      const facts = yield* calls.ours("Destroy_Task", ref)
      if (!isOff(facts)) yield* power.powerOff(ref)
      yield* calls.run("Destroy_Task", ref, {}, times.taskMs).pipe(
        Effect.raceFirst(gone),
        Effect.catchIf(
          (error) => error.kind === "unknown",
          (error) => calls.lookFor(ref, () => false, error)
        )
      )
    }).pipe(
      // Somebody powered it on meanwhile, perhaps the end of its own clone: off with it once more.
      Effect.retry({ while: ({ fault }) => fault === "InvalidPowerState", times: 2 }),
      Effect.catchIf(isGone, () => Effect.void)
    )
    yield* gone.pipe(Effect.timeoutOption("5 seconds"), Effect.ignore)
  }, Effect.scoped)

  return VSphere.of({
    validate: placement.current.pipe(
      Effect.mapError((error) => configProblem(error) ?? error),
      Effect.tapError((error) =>
        error._tag === "ConfigInvalid" ? Effect.void : Effect.logWarning(`vCenter cannot be used yet: ${told(error)}`)
      ),
      Effect.retry({ while: (error) => error._tag !== "ConfigInvalid", schedule: forEver }),
      Effect.catchIf((error) => error._tag !== "ConfigInvalid", Effect.die),
      Effect.asVoid,
      Effect.withSpan("VSphere.validate")
    ),
    template: Effect.fn("VSphere.template")(function* (name) {
      const facts = yield* templates.find(name).pipe(
        Effect.catchIf(
          (error) => error.kind === "gone" && provision.some(({ template }) => template === name),
          (error) => Effect.fail(retold(error, { message: `${provisionKey} = ${name}: ${error.message}` }))
        )
      )
      yield* mayClone
      const { snapshot } = yield* templates.hardwareOf(facts).pipe(Effect.mapError(callFailed("RetrievePropertiesEx")))
      const size = { cpus: facts.numCpu, memoryMB: facts.memoryMB }
      return { ref: facts.ref, name, size, linked: snapshot !== undefined }
    }),
    clone,
    reconfigure,
    powerOn: power.powerOn,
    shutdown: power.shutdown,
    powerOff: power.powerOff,
    destroy,
    ...marking,
    disks: (machines) => diskSizes.of(machines),
    logout: vim.logout
  })
})

export const layer: Layer.Layer<VSphere, never, VimSession | Inventory | Placement | Settings> = Layer.effect(
  VSphere,
  make
).pipe(Layer.provide(MachineCalls.layer))

const forEver = Schedule.min([Schedule.exponential("2 seconds"), Schedule.spaced("30 seconds")])

const provisionKey = "hatchery.vsphere.workerProvisioning.modelVMWare"

const isGone = (error: VSphereError): boolean => error.kind === "gone"

const told = (error: VimError): string => (error._tag === "VimFault" ? error.message : error.reason)

const busy = (message: string) => Effect.fail(new VSphereError({ operation: "CloneVM_Task", kind: "busy", message }))

const notPlaced = (error: VimError | ConfigInvalid): VSphereError =>
  error._tag === "ConfigInvalid"
    ? new VSphereError({ operation: "CloneVM_Task", kind: "invalid", message: error.message })
    : callFailed("RetrievePropertiesEx")(error)
