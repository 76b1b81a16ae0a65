/** A process is killed while a machine is in some state; the flow is what the next one does with it. */
import type { StateTag } from "../../../../src/actors/vm/State.ts"
import { parse } from "../../../../src/schema/Annotation.ts"
import type { Flow, Flows, Step } from "../Flow.ts"
import {
  cdsHas,
  goesOnFrom,
  job,
  jobs,
  killed,
  ready,
  resized,
  settled,
  someMachineHas,
  someMachineIs,
  someTaskRuns,
  vcenterHas
} from "../steps.ts"

/** The process is killed at the end of `path`; the next one finds the machine to be `found`, and brings it further. */
const adopted = (path: ReadonlyArray<Step>, found: StateTag, more: Partial<Flow> = {}): Flow => ({
  before: [...path, killed],
  steps: [goesOnFrom(found)],
  passes: [`adopted → ${found}`],
  cellsFrom: "WaitForUpdatesEx",
  ...more
})

/** In this state, and on its way: vCenter is at work for it. */
const at = (state: StateTag): ReadonlyArray<Step> => [someMachineIs(state), someTaskRuns]

const withoutPool = { settings: { provision: [] } }
const off = someMachineHas("is off", ({ power }) => power === "poweredOff")
const removed = someMachineHas("is to be removed", (one) => parse(one.annotation)?.journal?.state === "reaping")
const slowTake = cdsHas({ kind: "slow", ms: 3_000, method: "POST", path: "/hatchery/take" })
const refusedTake = cdsHas({ kind: "answer", status: 404, method: "POST", path: "/hatchery/take" })
const away = vcenterHas({ _tag: "Disconnects", forMs: 30_000, state: "disconnected", host: "*" })
const working = [...ready, job(), jobs("Building")]

export const flows: Flows = {
  "adoption: Cloning": adopted(at("Cloning"), "Reaping", { steps: [settled] }),
  "adoption: Cloning for a job": adopted([...ready, job(), ...at("Cloning")], "Renamed", withoutPool),
  "adoption: Booting": adopted([someMachineIs("Booting")], "Booting"),
  "adoption: Settling": adopted([someMachineIs("Settling")], "Booting"),
  "adoption: Settling, off": adopted([someMachineIs("Settling"), off], "Settling"),
  "adoption: Provisioned": adopted(ready, "Provisioned", {
    steps: [settled],
    cellsFrom: "POST /v2/auth/consumer/hatchery/signin"
  }),
  "adoption: Reserved": adopted([...ready, job(), ...at("Reserved")], "Provisioned"),
  "adoption: Renamed": adopted([...ready, slowTake, job(), someMachineIs("Renamed")], "Renamed"),
  "adoption: Powered": adopted([...ready, job(), someMachineIs("Powered")], "Renamed"),
  "adoption: Running": adopted([...ready, job({}, { startMs: 20_000 }), someMachineIs("Running")], "Running"),
  "adoption: Running, signed in": adopted(working, "Running"),
  "adoption: Returning": adopted([...ready, refusedTake, job(), ...at("Returning")], "Renamed"),
  "adoption: Held": adopted([...working, away, someMachineIs("Held")], "Running"),
  "adoption: Reaping": adopted([...ready, resized(0), removed], "Reaping")
}
