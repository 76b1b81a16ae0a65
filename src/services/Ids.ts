/** Identities and names, behind a service so that the same seed gives the same ones. */
import { Context } from "effect"
import type { Effect } from "effect"

export class Ids extends Context.Service<
  Ids,
  {
    /** A random UUID (version 4), lower case. */
    readonly uuid: Effect.Effect<string>
    /**
     * A worker name as CDS makes them: lower case letters, digits and dashes, at most 63 characters, `prefix-` in front where one is
     * given (cds-contract 10.6).
     */
    readonly workerName: (prefix: string) => Effect.Effect<string>
    /** Whether a name may have come from `workerName`, in this process or in another. */
    readonly isWorkerName: (name: string) => Effect.Effect<boolean>
  }
>()("rookery/services/Ids") {}
