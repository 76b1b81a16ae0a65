/** How the program ends: 0 done, 1 failed, 2 the configuration or the command line is wrong, 130 a demo cut short. */
import { Cause, Console, Data, Effect, Exit, Predicate, type Runtime } from "effect"
import { CliError } from "effect/cli"
import { ConfigInvalid } from "../schema/Errors.ts"

/** The command ran, and what it was asked for did not come out well. Whoever fails with it has said why. */
export class Failed extends Data.TaggedError("Failed")<{ readonly reason: string }> {}

const failureCode = (failure: unknown): number => {
  if (failure instanceof ConfigInvalid) return 2
  if (!CliError.isCliError(failure)) return 1
  return Predicate.isTagged(failure, "ShowHelp") && failure.errors.length === 0 ? 0 : 2
}

/** Says on standard error why the program fails, where nobody has said it yet. */
export const report = (cause: Cause.Cause<unknown>): Effect.Effect<void> => {
  if (Cause.hasInterruptsOnly(cause)) return Effect.void
  const failure = Cause.squash(cause)
  if (failure instanceof ConfigInvalid) return Console.error(failure.message)
  return failure instanceof Failed || CliError.isCliError(failure)
    ? Effect.void
    : Effect.logError("the program stops on an error that it does not know", cause)
}

/** A service that was told to stop has done its work; a demo that was told to stop has not. */
export const teardown =
  (args: ReadonlyArray<string>): Runtime.Teardown =>
  (exit, onExit) => {
    if (Exit.isSuccess(exit)) return onExit(0)
    const isService = args[0] === "start" || args[0] === "simulate"
    onExit(Cause.hasInterruptsOnly(exit.cause) ? (isService ? 0 : 130) : failureCode(Cause.squash(exit.cause)))
  }
