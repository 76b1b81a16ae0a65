import { defineConfig } from "vitest/config"

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [
      "test/real/**",
      "test/mutations/**",
      "test/simulation/simulation.test.ts",
      "test/simulation/crashes/**",
      "node_modules/**"
    ],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    maxWorkers: 2
  }
})
