import { defineConfig } from "vitest/config"

/** Simulated runs and the crash grid. `properties.test.ts` beside them takes seconds, and is with the other tests. */
export default defineConfig({
  test: {
    include: ["test/simulation/**/*.test.ts"],
    exclude: ["test/simulation/properties.test.ts"],
    testTimeout: 300_000,
    maxWorkers: 2
  }
})
