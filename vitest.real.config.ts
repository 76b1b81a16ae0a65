import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** What waits longest comes first, the other stands of the real CDS last: two of these at work are too much for two cores. */
const turn = ({ moduleId }: TestSpecification): number =>
  moduleId.endsWith("/cds/hatcheries.test.ts") ? 0 : moduleId.includes("/test/real/cds") ? 2 : 1

class LongestFirst extends BaseSequencer {
  override sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return Promise.resolve(files.toSorted((a, b) => turn(a) - turn(b) || a.moduleId.localeCompare(b.moduleId)))
  }
}

/**
 * The tests against parts that nobody here wrote; they start processes of their own. Beside the file that does little but wait the others
 * run in turn, in some a few tests at once.
 */
export default defineConfig({
  test: {
    include: ["test/real/**/*.test.ts"],
    globalSetup: ["test/real/harness/setup.ts"],
    testTimeout: 300_000,
    hookTimeout: 900_000,
    maxWorkers: 2,
    maxConcurrency: 4,
    sequence: { sequencer: LongestFirst }
  }
})
