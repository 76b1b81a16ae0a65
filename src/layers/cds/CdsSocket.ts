/** A WebSocket of the CDS API, reduced to what a hatchery does with it: connect, say at most one thing, and read text frames. */
import { Context } from "effect"
import type { Effect, Scope, Stream } from "effect"
import type { CdsError } from "../../schema/Errors.ts"

export class CdsSocket extends Context.Service<
  CdsSocket,
  {
    /**
     * Succeeds when the server has accepted the upgrade of `url` (`ws://` or `wss://`); the connection closes with the scope. Fails with
     * kind `unauthenticated` when the upgrade is answered 401, `refused` for any other HTTP answer below 500, `unreachable` otherwise.
     * `greeting` is the text frame that is sent then: the V1 API wants its filters first (cds-contract 4.4).
     *
     * The stream holds the text frames in order, from the upgrade on. It never ends: when the connection closes, whatever the close code,
     * it fails with kind `unreachable` and the code in the message.
     */
    readonly connect: (
      url: string,
      headers: Readonly<Record<string, string>>,
      greeting?: string
    ) => Effect.Effect<Stream.Stream<string, CdsError>, CdsError, Scope.Scope>
  }
>()("rookery/layers/cds/CdsSocket") {}
