import { defineConfig } from "vitest/config"
import { BaseSequencer, type TestSpecification } from "vitest/node"

/** Where a slow computer shows: scaled timers while processes are killed, and many workers of the real CDS at once. */
const alone = ["test/real/kills.test.ts", "test/real/cds.test.ts", "test/real/cds/jobs.test.ts"]

const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.endsWith("/cds/hatcheries.test.ts")

class LongestFirst extends BaseSequencer {
  override async sort(files: Array<TestSpecification>): Promise<Array<TestSpecification>> {
    return (await super.sort(files)).toSorted((a, b) => Number(isLong(b)) - Number(isLong(a)))
  }
}

/**
 * The tests against parts that nobody here wrote; they start processes of their own. Beside the file that does little but wait the others
 * run in turn, in some a few tests at once; what needs the computer for itself comes after them.
 */
export default defineConfig({
  test: {
    globalSetup: ["test/real/harness/setup.ts"],
    testTimeout: 300_000,
    hookTimeout: 900_000,
    maxConcurrency: 4,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        extends: true,
        test: {
          name: "side by side",
          include: ["test/real/**/*.test.ts"],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 0 }
        }
      },
      { extends: true, test: { name: "alone", include: alone, maxWorkers: 1, sequence: { groupOrder: 1 } } }
    ]
  }
})
