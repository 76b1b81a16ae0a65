/**
 * One cell of the crash grid per outgoing call on the wire: the process is killed when it sends the call, which then never arrives, or
 * when the call was carried out and its answer is on the way. `hatchery.test.ts` has the cells after the calls marked so.
 */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { mutations } from "../../src/layers/vsphere/Vim.ts"
import * as Go from "./harness/Go.ts"
import { sideBySide } from "./harness/real.ts"
import * as Stand from "./harness/Stand.ts"
import type { Request } from "./harness/Tap.ts"

interface Cell {
  readonly name: string
  readonly side: "vcenter" | "cds"
  /** The SOAP method, or the end of the path at CDS. */
  readonly operation: string
  readonly is?: (request: string) => boolean
  /** Only a job that is given back makes the call. */
  readonly givenBack?: boolean
  /** `hatchery.test.ts` kills the process after it. */
  readonly afterIsElsewhere?: boolean
}

const isBootstrap = (request: string): boolean => request.includes("/download/worker/")

/** In the annotation, whose quotes are escaped in XML. */
const writes = (state: string) => (request: string) => new RegExp(`state(&quot;|"):(&quot;|")${state}`).test(request)

/** Every call of a job's life and of the hatching of a machine that changes something. */
const cells: ReadonlyArray<Cell> = [
  {
    name: "the claim's reconfigure",
    side: "vcenter",
    operation: "ReconfigVM_Task",
    is: writes("renamed"),
    afterIsElsewhere: true
  },
  { name: "the take", side: "cds", operation: "/hatchery/take", afterIsElsewhere: true },
  { name: "a line for the job's user", side: "cds", operation: "/info" },
  { name: "the power on", side: "vcenter", operation: "PowerOnVM_Task", afterIsElsewhere: true },
  {
    name: "the probe of the guest",
    side: "vcenter",
    operation: "StartProgramInGuest",
    is: (request) => !isBootstrap(request)
  },
  {
    name: "the reconfigure before the bootstrap",
    side: "vcenter",
    operation: "ReconfigVM_Task",
    is: writes("running")
  },
  {
    name: "the bootstrap's start",
    side: "vcenter",
    operation: "StartProgramInGuest",
    is: isBootstrap,
    afterIsElsewhere: true
  },
  {
    name: "the reconfigure before the removal",
    side: "vcenter",
    operation: "ReconfigVM_Task",
    is: writes("reaping")
  },
  { name: "the power off", side: "vcenter", operation: "PowerOffVM_Task", givenBack: true },
  { name: "the release", side: "cds", operation: "DELETE", givenBack: true },
  { name: "the machine's destruction", side: "vcenter", operation: "Destroy_Task", afterIsElsewhere: true },
  { name: "the refill's clone", side: "vcenter", operation: "CloneVM_Task", afterIsElsewhere: true },
  { name: "the refill's shutdown", side: "vcenter", operation: "ShutdownGuest" },
  {
    name: "the reconfigure into the pool",
    side: "vcenter",
    operation: "ReconfigVM_Task",
    is: writes("provisioned")
  }
]

/** Calls of a V1 template's build, which no job makes: the grid in process has their cells (`test/simulation/crashes/flows/template.ts`). */
const ofTemplates = ["CreateSnapshot_Task", "MarkAsTemplate", "Rename_Task"]

const isCall =
  ({ side, operation, is = () => true }: Cell) =>
  ({ method, path, operation: sent, request }: Request): boolean =>
    side === "vcenter"
      ? sent === operation && is(request)
      : operation === method || (method === "POST" && path.endsWith(operation))

const crash = (cell: Cell, moment: "before" | "after") =>
  Effect.gen(function* () {
    const stand = yield* Stand.start()
    const first = yield* stand.hatchery
    yield* stand.pool()
    const before = yield* stand.vcenter.inventory
    const tap = stand.taps[cell.side]
    const stopped = yield* moment === "before" ? tap.intercept(isCall(cell)) : tap.withhold(isCall(cell))
    if (cell.givenBack === true) yield* Stand.withoutWorker(stand)
    const jobId = yield* stand.cds.enqueue({ durationMs: 1000 })
    yield* Effect.timeout(stopped, "60 seconds")
    yield* first.kill("SIGKILL")
    assert.deepStrictEqual(yield* first.exit, { code: null, signal: "SIGKILL" })

    yield* stand.hatchery
    yield* Stand.inOrder(stand, jobId, before, cell.givenBack === true ? 1 : 0)
  }).pipe(Effect.scoped)

sideBySide("the hatchery killed at a call", Go.goMissing(), () => {
  for (const cell of cells) {
    it.live(`comes to the same end when it is killed before ${cell.name} and started again`, () =>
      crash(cell, "before")
    )
    if (cell.afterIsElsewhere !== true)
      it.live(`comes to the same end when it is killed after ${cell.name} and started again`, () =>
        crash(cell, "after")
      )
  }

  it("has a cell for every operation that changes something in vCenter", () => {
    const missing = [...mutations].filter((operation) => !cells.some((cell) => cell.operation === operation))
    assert.deepStrictEqual(missing.toSorted(), ofTemplates)
  })
})
