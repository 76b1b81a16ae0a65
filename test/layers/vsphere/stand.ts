/** A simulated vCenter with the whole vSphere side of ours on top of it, and a look at each call on its way. */
import { Context, type Duration, Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { SimVCenter } from "../../../src/layers/simulated/vcenter/SimVCenter.ts"
import type { PartialOptions } from "../../../src/layers/simulated/vcenter/Options.ts"
import { VimSimulated } from "../../../src/layers/simulated/vcenter/VimSimulated.ts"
import * as GuestLive from "../../../src/layers/vsphere/GuestLive.ts"
import * as InventoryLive from "../../../src/layers/vsphere/InventoryLive.ts"
import { Placement } from "../../../src/layers/vsphere/Placement.ts"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import type { VimOperation, WireValue } from "../../../src/layers/vsphere/Vim.ts"
import { VimSession } from "../../../src/layers/vsphere/VimSession.ts"
import * as VSphereLive from "../../../src/layers/vsphere/VSphereLive.ts"
import { defaults } from "../../../src/schema/config/defaults.ts"
import type { SettingsShape, VSphereSettings } from "../../../src/schema/Settings.ts"
import { Inventory } from "../../../src/services/Inventory.ts"
import { Settings } from "../../../src/services/Settings.ts"
import type { ClonePlan } from "../../../src/services/VSphere.ts"
import { VSphere } from "../../../src/services/VSphere.ts"

export interface Sent {
  readonly operation: VimOperation
  readonly args: { readonly [key: string]: WireValue }
}

/** Every call that went to vCenter, in order. */
export class Calls extends Context.Service<
  Calls,
  { readonly all: Array<Sent>; readonly of: (operation: VimOperation) => ReadonlyArray<Sent> }
>()("rookery/test/Calls") {}

const callsLayer = Layer.sync(Calls, () => {
  const all: Array<Sent> = []
  return { all, of: (operation) => all.filter((sent) => sent.operation === operation) }
})

const observed = Layer.effect(
  Vim,
  Effect.gen(function* () {
    const calls = yield* Calls
    const vim = yield* VimSimulated.make()
    return Vim.of({
      ...vim,
      call: (operation, args) => {
        calls.all.push({ operation, args })
        return vim.call(operation, args)
      }
    })
  })
)

export interface StandOptions {
  readonly vcenter?: PartialOptions
  readonly vsphere?: Partial<VSphereSettings>
  readonly settings?: Partial<SettingsShape>
  /** In place of the transport to the simulated vCenter. */
  readonly vim?: Layer.Layer<Vim, never, SimVCenter>
}

const hatchery = "hatchery-1"
export const oursText = (state: string) => JSON.stringify({ hatchery_name: hatchery, worker_name: state })

const steady = { jitter: 0, cloneMs: 20_000, bootMs: 15_000, customizationMs: 10_000, ipMs: 3_000 }

const settingsLayer = (options: StandOptions) =>
  Layer.succeed(Settings, {
    ...defaults,
    cds: { ...defaults.cds, name: hatchery },
    vsphere: {
      ...defaults.vsphere,
      user: "rookery@vsphere.local",
      password: Redacted.make("rookery"),
      datacenter: "DC0",
      network: "VM Network",
      cardName: "vmxnet3",
      ...options.vsphere
    },
    ...options.settings
  })

const session = Layer.unwrap(
  Effect.map(Settings, ({ vsphere }) =>
    VimSession.layer({ user: vsphere.user, password: vsphere.password, locale: "en" })
  )
)

export const stand = (options: StandOptions = {}) =>
  Layer.mergeAll(VSphereLive.layer, GuestLive.layer).pipe(
    Layer.provideMerge(InventoryLive.layer),
    Layer.provideMerge(Placement.layer),
    Layer.provideMerge(session),
    Layer.provideMerge(settingsLayer(options)),
    Layer.provideMerge(options.vim ?? observed),
    Layer.provideMerge(callsLayer),
    Layer.provideMerge(
      SimVCenter.layer({
        guestNoise: 0,
        ...options.vcenter,
        timings: { ...steady, ...options.vcenter?.timings }
      })
    )
  )

/** A plan like the nursery's. */
export const plan = (given: Partial<ClonePlan> = {}): ClonePlan => ({
  id: "11111111-1111-4111-8111-111111111111",
  name: "provision-v2-one",
  template: "debian12",
  annotation: oursText("provision-v2-one"),
  addressing: { _tag: "Dhcp" },
  flavor: undefined,
  ...given
})

/** Waits until the mirror is complete, then clones. */
export const cloned = (given: Partial<ClonePlan> = {}) =>
  Effect.gen(function* () {
    yield* (yield* Inventory).certain
    return yield* (yield* VSphere).clone(plan(given))
  })

/** The template that clones are made of unless a test says more about it. */
export const template = { name: "debian12", cpus: 2, memoryMB: 4096, guestUser: "worker", guestPassword: "worker" }

/** For a reconfigure that fits whatever the machine is by then. */
export const always = () => true

/** Runs an effect to its end while the clock goes on by that time. */
export const play = <A, E, R>(effect: Effect.Effect<A, E, R>, time: Duration.Input) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkScoped(effect)
    yield* TestClock.adjust(time)
    return yield* Fiber.join(fiber)
  })

/** A machine as the mirror shows it, which a test that asks expects to be there. */
export const factsOf = (ref: string) =>
  Effect.flatMap(Inventory, (inventory) => Effect.map(inventory.view, ({ machines }) => machines.get(ref)!))

/** How often an operation was sent. */
export const sent = (operation: VimOperation) => Effect.map(Calls, (calls) => calls.of(operation).length)

interface CloneSpec {
  readonly location: Readonly<Record<string, unknown>> & {
    readonly deviceChange: ReadonlyArray<{
      readonly operation: string
      readonly device: Readonly<Record<string, unknown>>
    }>
  }
  readonly snapshot: unknown
}

/** The specification of the first clone that was asked for. */
export const sentSpec = Effect.map(Calls, (calls) => calls.of("CloneVM_Task")[0]!.args["spec"] as unknown as CloneSpec)
