/**
 * What a real worker asks for beside its job, as recorded: its plugin, what to look for in its machine, the run that its job belongs to. The
 * stand-in worker needs none of it.
 */
import { Effect } from "effect"
import type { Call, Route } from "../Call.ts"
import { workerOf } from "../Call.ts"
import { json } from "../Exchange.ts"
import { refuse } from "../Refusal.ts"
import { workerOf as workerOfV1 } from "../v1/Call.ts"

/** The plugin that executes the `run:` of a V2 step; there is no other. */
const script = "script"

const plugin = Effect.fnUntraced(function* (call: Call) {
  yield* workerOf(call)
  if (call.params["name"] !== script) return yield* refuse("notFound", "no such plugin")
  return json({
    id: 1,
    name: script,
    type: "action",
    author: "",
    description: "",
    inputs: { content: { type: "text", description: "", default: "" } },
    post: {},
    binaries: [],
    integration: ""
  })
})

const binary = Effect.fnUntraced(function* (call: Call) {
  yield* workerOf(call)
  if (call.params["name"] !== script) return yield* refuse("notFound", "no such plugin")
  return { status: 200, headers: { "Content-Type": "application/octet-stream" }, body: "#!/bin/sh\n" }
})

/** Every binary that some job asks for: the worker tells which of them its machine has. */
const requirements = ({ state: { v1 } }: Call) => {
  const asked = [...v1.jobs.values()].flatMap((job) => job.requirements.filter(({ type }) => type === "binary"))
  const once = new Map(asked.map((one) => [one.value, { id: 0, action_id: 0, ...one }]))
  return Effect.succeed(json([...once.values()]))
}

const run = Effect.fnUntraced(function* (call: Call) {
  yield* workerOfV1(call)
  const { project, workflow } = call.params
  const { v1 } = call.state
  const job = [...v1.jobs.values()].find((one) => one.projectKey === project && one.workflowName === workflow)
  if (job === undefined) return yield* refuse("notFound", "no such run")
  return json({
    id: Number(job.id),
    num: job.runNumber,
    project_id: v1.projects.of(job.projectKey),
    status: job.status
  })
})

export const errandRoutes: ReadonlyArray<Route> = [
  { method: "GET", pattern: "/v2/plugin/:name", handler: plugin },
  { method: "GET", pattern: "/download/plugin/:name/binary/:os/:arch", handler: binary },
  { method: "GET", pattern: "/action/requirement", handler: requirements },
  { method: "GET", pattern: "/project/:project/workflows/:workflow/runs/:number", handler: run }
]
