/** What CDS is told when a V1 model could not be registered: why, and the end of the worker's log (vsphere-behaviour 11.4). */
import { Effect } from "effect"
import type { MachineRef } from "../../../schema/Machine.ts"
import { registerLog } from "../../../schema/Bootstrap.ts"
import { type ModelStamp, needsRegistration, sameStamp, stampOf } from "../../../schema/ModelV1.ts"
import { Cds } from "../../../services/Cds.ts"
import { makeGuestOf } from "./guestOf.ts"
import { persist } from "./kit.ts"
import { makeModelLogin } from "./login.ts"

export const makeRegistration = Effect.gen(function* () {
  const cds = yield* Cds
  const guestOf = yield* makeGuestOf
  const loginOf = yield* makeModelLogin

  return {
    /** The end of the log while the machine is still on; empty when it cannot be had soon. */
    log: (path: string, ref: MachineRef): Effect.Effect<string> =>
      loginOf(path).pipe(
        Effect.flatMap((login) => (login === undefined ? Effect.succeed("") : guestOf(ref, login).logEnd(registerLog))),
        Effect.timeoutOrElse({ duration: "15 seconds", orElse: () => Effect.succeed("") }),
        Effect.orElseSucceed(() => "")
      ),

    /**
     * CDS is asked first: a model that is registered by now, changed since, or gone, has no error (lesson of a stale list, vsphere-behaviour 14).
     */
    failed: Effect.fnUntraced(function* (failing: ModelStamp, reason: string, log: string) {
      const { models } = yield* persist(cds.models)
      const model = models.find((one) => sameStamp(stampOf(one), failing))
      if (model !== undefined && needsRegistration(model)) yield* persist(cds.failModel(model, reason, log))
    })
  }
})
