import { defineConfig } from "vitest/config"

/** The tests against parts that nobody here wrote; they start processes of their own. Files run in turn, in some a few tests at once. */
export default defineConfig({
  test: {
    include: ["test/real/**/*.test.ts"],
    globalSetup: ["test/real/harness/setup.ts"],
    testTimeout: 300_000,
    hookTimeout: 900_000,
    fileParallelism: false,
    maxConcurrency: 4
  }
})
