/** Tests that need a part which may not be there. */
import { assert, describe, it } from "@effect/vitest"

/**
 * Like `describe`. Where `missing` gives a reason the tests are skipped, with the reason in their name; with ROOKERY_REAL=required they
 * fail instead.
 */
const group =
  (suite: (name: string, tests: () => void) => void) =>
  (name: string, missing: string | undefined, tests: () => void): void => {
    if (missing === undefined) suite(name, tests)
    else if (process.env["ROOKERY_REAL"] === "required") it(name, () => assert.fail(missing))
    else describe.skip(`${name} (skipped: ${missing})`, tests)
  }

/** Runs its tests side by side: each has processes of its own. */
export const real = group(describe.concurrent)

/** Runs them one after another, as their figures depend on what else the computer does. */
export const inTurn = group(describe)
