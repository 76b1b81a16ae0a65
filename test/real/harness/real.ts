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

/** Runs its tests one after another. */
export const real = group(describe)

/** Runs them side by side: each has processes of its own, and no figure depends on what else the computer does. */
export const sideBySide = group(describe.concurrent)
