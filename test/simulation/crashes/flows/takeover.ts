/** What the Go hatchery left: its annotations are the ones of ours without our key, written on machines that are as real as ours. */
import { parse, print, type Annotation } from "../../../../src/schema/Annotation.ts"
import type { Flows, Step } from "../Flow.ts"
import { debian, job, jobs, killed, ready, settled, toEach } from "../steps.ts"

const written = (change: (annotation: Annotation) => Partial<Annotation>): Step =>
  toEach("the annotations are the Go hatchery's", ({ vcenter }, { ref, annotation }) => {
    const ours = parse(annotation)!
    vcenter.others.annotate(ref.value, print({ ...ours, journal: undefined, ...change(ours) }))
  })

const started = { cellsFrom: "WaitForUpdatesEx" }
const pool = { settings: { provision: debian(2) }, ...started }
const passes = ["adopted → Provisioned", "adopted → Running", "Running → Reaping", "Reaping → Reaped"]
const worker = [...ready, job({ durationMs: 30_000 }), jobs("Building"), killed]

export const flows: Flows = {
  "machines of the Go hatchery of later versions": {
    ...pool,
    before: [...worker, written(() => ({}))],
    steps: [settled],
    passes
  },
  // It claims without writing: what works says that it is to be had.
  "machines of the Go hatchery of 0.57": {
    ...pool,
    before: [
      ...worker,
      written(() => ({
        provisioning: true,
        jobId: undefined,
        workerStartTime: undefined,
        workerName: "provision-v2-x"
      }))
    ],
    steps: [settled],
    passes
  },
  "a machine that the Go hatchery was making": {
    ...started,
    before: [
      ...ready,
      killed,
      written(() => ({})),
      toEach("it is on", ({ vcenter }, { ref }) => vcenter.others.powerOn(ref.value))
    ],
    steps: [settled],
    passes: ["adopted → Booting", "Settling → Provisioned"]
  }
}
