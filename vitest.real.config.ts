import { defineConfig } from "vitest/config"

/** The tests against parts that nobody here wrote; they start processes of their own, one file at a time. */
export default defineConfig({
  test: {
    include: ["test/real/**/*.test.ts"],
    testTimeout: 300_000,
    hookTimeout: 900_000,
    fileParallelism: false
  }
})
