/** Groups of tests against the real CDS. */
import { afterAll, afterEach, beforeAll } from "@effect/vitest"
import { Effect, Exit, Scope } from "effect"
import type { HarnessError } from "../harness/HarnessError.ts"
import { real } from "../harness/real.ts"
import { programs } from "./Programs.ts"
import { cdsMissing } from "./RealCds.ts"

const coldBuildMs = 30 * 60_000

/** Like `real`: its tests run one after another, and building the engine takes no test's time. */
export const realCds = (name: string, tests: () => void): void =>
  real(name, cdsMissing(), () => {
    beforeAll(() => Effect.runPromise(programs), coldBuildMs)
    tests()
  })

const startMs = 300_000

/** Started before the first test of the group, for all of them, and ended after the last one; as a failure when one of them failed. */
export const shared = <A>(start: Effect.Effect<A, HarnessError, Scope.Scope>): Effect.Effect<A> => {
  const scope = Scope.makeUnsafe()
  let started: A | undefined
  let end: Exit.Exit<void, string> = Exit.void
  beforeAll(async () => {
    started = await Effect.runPromise(Scope.provide(start, scope))
  }, startMs)
  afterEach(({ task }) => {
    if (task.result?.state === "fail") end = Exit.fail(task.name)
  })
  afterAll(() => Effect.runPromise(Scope.close(scope, end)), startMs)
  return Effect.sync(() => started!)
}
