/** Power on, shut down, power off: each is done when the machine is in the state, however it came there. */
import { Effect, Option } from "effect"
import type { VSphereError } from "../../schema/Errors.ts"
import { isOff, type MachineFacts, type MachineRef, type PowerState } from "../../schema/Machine.ts"
import { Inventory } from "../../services/Inventory.ts"
import { Settings } from "../../services/Settings.ts"
import { callFailed } from "./faults.ts"
import { MachineCalls, machineRef } from "./MachineCalls.ts"
import { VimSession } from "./VimSession.ts"

const isIn =
  (state: PowerState) =>
  ({ power }: MachineFacts): boolean =>
    power === state

export const makePower = Effect.gen(function* () {
  const vim = yield* VimSession
  const inventory = yield* Inventory
  const calls = yield* MachineCalls
  const { times } = yield* Settings

  const bring = Effect.fnUntraced(function* (operation: "PowerOnVM_Task" | "PowerOffVM_Task", ref: MachineRef) {
    const holds = isIn(operation === "PowerOnVM_Task" ? "poweredOn" : "poweredOff")
    if (holds(yield* calls.ours(operation, ref))) return
    yield* calls.run(operation, ref, {}, times.taskMs).pipe(
      Effect.catchIf(
        (error) => error.kind === "unknown" || error.fault === "InvalidPowerState",
        (error) => calls.lookFor(ref, holds, error)
      )
    )
    yield* calls.settled(ref, holds)
  })

  /** True when the guest was asked, or may have been. */
  const askGuest = (ref: MachineRef): Effect.Effect<boolean, VSphereError> =>
    vim.call("ShutdownGuest", { _this: machineRef(ref) }).pipe(
      Effect.as(true),
      Effect.mapError(callFailed("ShutdownGuest")),
      Effect.catchIf(
        (error) => error.kind !== "gone",
        (error) => Effect.succeed(error.kind === "unknown")
      )
    )

  const powerOff = Effect.fn("VSphere.powerOff")((ref: MachineRef) => bring("PowerOffVM_Task", ref))

  return {
    powerOn: Effect.fn("VSphere.powerOn")((ref: MachineRef) => bring("PowerOnVM_Task", ref)),
    powerOff,
    shutdown: Effect.fn("VSphere.shutdown")(function* (ref: MachineRef) {
      const facts = yield* calls.ours("ShutdownGuest", ref)
      if (isOff(facts)) return
      if (facts.guest.toolsRunning && (yield* askGuest(ref))) {
        const off = yield* inventory.until(ref, isOff).pipe(Effect.timeoutOption(times.shutdownMs))
        if (Option.isSome(off)) return
        yield* Effect.logWarning(
          `${facts.name} has not shut down within ${times.shutdownMs} ms: it is powered off hard`
        )
      }
      yield* inventory.certain
      yield* powerOff(ref)
    })
  }
})
