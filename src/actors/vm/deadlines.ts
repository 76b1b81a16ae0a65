/** How long each state may last, in milliseconds (promise 5: no state without a deadline). */
import type { TimeSettings } from "../../services/Settings.ts"
import type { VmState } from "./State.ts"

/** A state that only waits for others is looked at again this often: a ready machine, a held one. */
const lookAgainMs = 60 * 60 * 1000

/** A clone that has taken its time is called back, which takes a few calls. */
const callBackMs = 60 * 1000

/** Undefined at the end of life only. */
export const allowance = (state: VmState, times: TimeSettings): number | undefined => {
  switch (state._tag) {
    case "Cloning":
      return times.cloneMs + callBackMs
    case "Booting":
      return times.guestOperationsMs + times.guestAddressMs + times.taskMs
    case "Settling":
      return times.shutdownMs + 2 * times.taskMs
    case "Preparing":
      return times.templateMs
    case "Converting":
    case "Reserved":
    case "Renamed":
    case "Returning":
      return 2 * times.taskMs
    case "Powered":
      return 2 * times.taskMs + times.guestOperationsMs + times.guestAddressMs + times.guestProbeMs
    case "Running":
      return state.signedIn ? times.workerTtlMs : times.workerRegistrationTtlMs
    case "Reaping":
      return 4 * times.taskMs
    case "Provisioned":
    case "Held":
      return lookAgainMs
    case "Reaped":
    case "Ceded":
    case "Templated":
      return undefined
  }
}
