/** A flow: something that a hatchery is at, from a moment on, with what the world does meanwhile. The crash grid has cells for all its calls. */
import type { Effect, Scope } from "effect"
import type { ModelOrder } from "../../../src/layers/simulated/cds/v1/Order.ts"
import type { PartialOptions } from "../../../src/layers/simulated/vcenter/Options.ts"
import type { JobStatus } from "../../../src/schema/Job.ts"
import type { SettingsShape, TimeSettings } from "../../../src/schema/Settings.ts"
import type { Stage } from "../Stage.ts"

/** What is done, what is then waited for, or both. */
export interface Step {
  /** For people. */
  readonly text: string
  readonly does?: (stage: Stage) => Effect.Effect<void, never, Scope.Scope>
  /** Time passes until this is so. Where a process was stopped it may never be: then the flow goes on after a while. */
  readonly until?: (stage: Stage) => Effect.Effect<boolean>
  /** How closely that is watched, milliseconds; a second unless given. */
  readonly watchMs?: number
}

export interface Flow {
  /** What differs from a hatchery that keeps one machine of `debian12` ready. */
  readonly settings?: Partial<Omit<SettingsShape, "times">>
  readonly times?: Partial<TimeSettings>
  readonly vcenter?: PartialOptions
  /** The hatchery has a V1 token too, and CDS has these V1 models. */
  readonly models?: ReadonlyArray<ModelOrder>
  /** The V1 token is the only one. */
  readonly alone?: true
  /**
   * How a process and the world come to where the flow begins; the calls until then are cells of other flows. When the process is killed in the
   * last step, or there are no steps, the flow begins with the start of a process.
   */
  readonly before: ReadonlyArray<Step>
  readonly steps: ReadonlyArray<Step>
  /** Cells begin with the first call of this name: those before it are in another flow. */
  readonly cellsFrom?: string
  /** What the event log of the flow's process says, among other things: `Renamed → Powered`, `adopted → Running`. */
  readonly passes: ReadonlyArray<string>
  /** What its jobs may come to, the process stopped or not; Success unless given. */
  readonly ends?: ReadonlyArray<JobStatus>
}

/** Flows by name. */
export type Flows = Readonly<Record<string, Flow>>
