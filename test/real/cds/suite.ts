/** Groups of tests against the real CDS. */
import { beforeAll } from "@effect/vitest"
import { Effect } from "effect"
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
