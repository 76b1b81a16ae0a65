/** Tests that need a part which may not be there. */
import { assert, describe, it } from "@effect/vitest"

/**
 * Like `describe`. Where `missing` gives a reason the tests are skipped, with the reason in their name; with ROOKERY_REAL=required they
 * fail instead.
 */
export const real = (name: string, missing: string | undefined, tests: () => void): void => {
  if (missing === undefined) describe(name, tests)
  else if (process.env["ROOKERY_REAL"] === "required") it(name, () => assert.fail(missing))
  else describe.skip(`${name} (skipped: ${missing})`, tests)
}
