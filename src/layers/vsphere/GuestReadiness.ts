/** Is the guest ready? In the stages of seed 001 section 9.1, waited for in the inventory's subscription: nothing polls but the probe. */
import { Effect, Schedule } from "effect"
import type { Duration } from "effect"
import type { GuestError } from "../../schema/Errors.ts"
import { GuestNotReady } from "../../schema/Errors.ts"
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { GuestLogin, GuestProgram } from "../../services/Guest.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"

/** A machine that is gone is no guest that fails: within this its actor is told, and ends the wait. */
const tellsOfLeaving = "1 second"

const machineGone = () => "the machine is gone"

type Stage = GuestNotReady["stage"]
type Holds = (facts: MachineFacts) => boolean

const customizing = ({ guest }: MachineFacts): boolean =>
  guest.customization === "PENDING" || guest.customization === "RUNNING"

const failed = ({ guest }: MachineFacts): boolean => guest.customization === "FAILED"

/** IPv4, and not one that a card gives itself when DHCP does not answer. */
const isUsable = (address: string): boolean => /^\d+\.\d+\.\d+\.\d+$/.test(address) && !address.startsWith("169.254.")

const hasAddress =
  (expected: string | undefined): Holds =>
  ({ guest }) => {
    const [first = []] = guest.addresses
    return expected === undefined ? first.some(isUsable) : first.includes(expected)
  }

const addressesOf = ({ guest }: MachineFacts): string =>
  guest.addresses.length === 0 ? "no card reports any" : guest.addresses.map((card) => card.join(" ")).join(" | ")

const env: GuestProgram = { script: "env", env: {} }

export type Launch = (ref: MachineRef, login: GuestLogin, program: GuestProgram) => Effect.Effect<number, GuestError>

export const makeReadiness = (launch: Launch) =>
  Effect.gen(function* () {
    const inventory = yield* Inventory
    const { times } = yield* Settings

    /** Why the wait ended in vain, from what is known of the machine now. */
    const notReady = Effect.fnUntraced(function* (
      ref: MachineRef,
      stage: Stage,
      reason: (facts: MachineFacts) => string
    ) {
      const facts = (yield* inventory.view).machines.get(ref)
      return yield* new GuestNotReady({
        machine: facts?.name ?? ref,
        stage: facts !== undefined && facts.guest.toolsRunning && customizing(facts) ? "customization" : stage,
        reason: facts === undefined ? "the machine is gone" : `${reason(facts)} (${facts.power}, ${facts.connection})`
      })
    })

    const reach = Effect.fnUntraced(function* (
      ref: MachineRef,
      stage: Stage,
      within: Duration.Input,
      holds: Holds,
      reason: (facts: MachineFacts) => string
    ) {
      const reached = yield* inventory
        .until(ref, (facts) => failed(facts) || (!customizing(facts) && holds(facts)))
        .pipe(
          Effect.catch(() => Effect.andThen(Effect.sleep(tellsOfLeaving), notReady(ref, stage, machineGone))),
          Effect.timeoutOrElse({ duration: within, orElse: () => notReady(ref, stage, reason) })
        )
      if (failed(reached)) return yield* notReady(ref, "customization", () => "the guest's customization has failed")
    })

    const probe = Effect.fnUntraced(function* (ref: MachineRef, login: GuestLogin) {
      let last: GuestError | undefined
      yield* launch(ref, login, env).pipe(
        Effect.tapError((error) => Effect.sync(() => (last = error))),
        Effect.retry({
          while: ({ kind }) => kind !== "gone" && kind !== "invalid",
          schedule: Schedule.spaced("1 second")
        }),
        Effect.catch((error) => notReady(ref, "probe", () => error.message)),
        Effect.timeoutOrElse({
          duration: times.guestProbeMs,
          orElse: () => notReady(ref, "probe", () => last?.message ?? "no program was accepted")
        })
      )
    })

    return Effect.fn("Guest.ready")(function* (
      ref: MachineRef,
      expectedIp: string | undefined,
      login: GuestLogin | undefined
    ): Effect.fn.Return<void, GuestNotReady> {
      yield* Effect.annotateCurrentSpan({ "vm.ref": ref, "vm.ip": expectedIp ?? "dhcp" })
      yield* reach(
        ref,
        "operations",
        times.guestOperationsMs,
        ({ guest }) => guest.operationsReady,
        ({ guest }) =>
          `guest operations are not ready; Tools ${guest.toolsRunning ? "run" : "do not run"}, ` +
          `customization ${guest.customization ?? "unknown"}`
      )
      yield* reach(
        ref,
        "address",
        times.guestAddressMs,
        hasAddress(expectedIp),
        (facts) => `the first card does not have ${expectedIp ?? "an IPv4 address"}: ${addressesOf(facts)}`
      )
      if (login !== undefined) yield* probe(ref, login)
    })
  })
