import { defineConfig } from "vitest/config"

/** The tests of the tests: each runs others in a copy of the source that is broken on purpose. */
export default defineConfig({
  test: {
    include: ["test/mutations/**/*.test.ts"],
    testTimeout: 300_000
  }
})
