import { assert, describe, it } from "@effect/vitest"
import { Cause, Effect, Exit, Fiber, Stream } from "effect"
import { TestClock } from "effect/testing"
import { CdsError, ConfigInvalid } from "../../../src/schema/Errors.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { jobToWire, modelToWire } from "../../../src/layers/simulated/cds/Job.ts"
import { jobOf } from "../../../src/layers/simulated/cds/Order.ts"
import {
  api,
  consumerTokenV1,
  signedIn,
  signedInV1,
  signinPath,
  signinPathV1,
  type Reply
} from "../../layers/cds/api.ts"
import { modelV1 } from "../../support/models.ts"
import { cases } from "./cases.ts"
import type { Chance } from "./Chance.ts"
import { mutateJsonText, mutateText, oddities } from "./mutate.ts"

const job = jobOf({}, { id: "job-1", workflowRunId: "run-1", runNumber: 1, region: "r1", queuedAt: 1_000 })

const worker = { id: "w", name: "brisk-gould", status: "Building", run_job_id: "job-1" }

const modelOnWire = {
  id: 9,
  name: "deb",
  group: { name: "shared.infra" },
  type: "vsphere",
  user_last_modified: "2026-01-01T00:00:00Z",
  registered_capabilities: [{ name: "git", type: "binary", value: "git" }],
  model_virtual_machine: { image: "debian12", cmd: "worker", password: "{{.secrets.vsphere_password}}" }
}

const jobV1 = {
  id: 777,
  project_id: 1,
  status: "Waiting",
  queued: "2026-01-01T00:00:00Z",
  bookedby: { name: "my-hatch", id: 1 },
  exec_groups: [{ name: "shared.infra" }],
  header: { "X-Workflow-Run": "3", "X-Project-Key": "PRJ" },
  job: { action: { name: "build", requirements: [{ name: "git", type: "binary", value: "git" }] } }
}

/** Answers of the API as they should be. */
const bodies: ReadonlyArray<string> = [
  { ...jobToWire(job, "auto"), status: "Scheduling", hatchery_name: "my-hatch" },
  { runjob: jobToWire(job, "object"), model: modelToWire(job.model) },
  [worker, { ...worker, id: "w2" }],
  jobV1,
  [{ id: "w", name: "brisk-gould", status: "Building", job_run_id: 777 }],
  [modelOnWire],
  [{ name: "secrets.vsphere_password", value: "secret" }],
  { http_url: "http://cdn", tcp_url: "cdn:8090", tcp_url_enable_tls: true },
  { id: 38, message: "resource not found", request_id: "r", from: "x" }
].map((body) => JSON.stringify(body))

const statuses = [200, 200, 200, 200, 204, 301, 400, 401, 403, 404, 409, 410, 418, 500, 503]

type Client = Cds["Service"]

const calls: ReadonlyArray<(cds: Client, region: string, id: string) => Effect.Effect<unknown, CdsError>> = [
  (cds, region, id) => cds.job(region, id),
  (cds, region, id) => cds.take(region, id),
  (cds, region, id) => cds.release(region, id),
  (cds, region, id) => cds.fail(region, id, "no space left"),
  (cds, region, id) => cds.tell(region, id, { _tag: "Waits", modelName: id, reason: id }),
  (cds) => cds.workers,
  (cds) => cds.heartbeat({ now: 0, lines: [] }),
  (cds) => cds.cdn,
  (cds, region) => cds.job(region, "777"),
  (cds, region) => cds.take(region, "777"),
  (cds, region) => cds.release(region, "777"),
  (cds, region) => cds.fail(region, "777", "no space left"),
  (cds, region, id) => cds.tell(region, "777", { _tag: "Waits", modelName: id, reason: id }),
  (cds, _, id) => cds.disable({ api: "v1", id, name: id, status: "Waiting", jobId: "" }),
  (cds) => cds.models,
  (cds, group, name) => cds.modelPassword(modelV1({ group, name, password: "{{.secrets.vsphere_password}}" })),
  (cds, group, name) => cds.bookModel(modelV1({ group, name })),
  (cds, group, name) => cds.failModel(modelV1({ group, name }), name, group),
  (cds, region, id) => cds.modelAsCode(`PRJ/${region}/repo/${id}`)
]

const jobPaths = String.raw`v2\/queue\/[^/]+\/job\/[^/]+(\/|$)|queue\/workflows\/\d+\/`
const hatcheryPaths = String.raw`(v2\/)?worker$|v2\/hatchery\/heartbeat$|services\/heartbeat$|v2\/config\/cdn$|worker\/[^/]+\/disable$`
const modelPaths = String.raw`worker\/model\/enabled$|worker\/model\/[^/]+\/[^/]+\/(secret|book|error)$|v2\/project\/PRJ\/vcs\/[^/]+\/repository\/[^/]+\/workermodel\/[^/]+\?`

/** Where the calls may lead. */
const known = new RegExp(`^\\/(${jobPaths}|${hatcheryPaths}|${modelPaths})`)

interface Case {
  readonly call: number
  readonly region: string
  readonly id: string
  readonly replies: ReadonlyArray<Reply>
  readonly signin: Reply | undefined
}

const reply = (chance: Chance): Reply => {
  if (chance.is(0.1)) return chance.pick(["cut", "silence"])
  return { status: chance.pick(statuses), body: mutateJsonText(chance, chance.pick(bodies)) }
}

const malformedSignin = (chance: Chance): Reply => {
  const good = signedIn(0) as Exclude<Reply, string>
  const headers = { "x-api-pub-signing-key": mutateText(chance, good.headers?.["x-api-pub-signing-key"] ?? "") }
  return {
    status: chance.pick(statuses),
    headers: chance.is(0.8) ? (good.headers ?? {}) : printable(headers),
    body: mutateJsonText(chance, JSON.stringify(good.body))
  }
}

const printable = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.replace(/[^ -~]/g, "?")]))

const malformed = (chance: Chance): Case => ({
  call: chance.below(calls.length),
  region: chance.is(0.7) ? "r1" : chance.pick(oddities),
  id: chance.is(0.7) ? "job-1" : chance.pick(oddities),
  replies: [reply(chance), reply(chance), reply(chance)],
  signin: chance.is(0.2) ? malformedSignin(chance) : undefined
})

const typed = (exit: Exit.Exit<unknown, unknown>) => {
  if (Exit.isSuccess(exit)) return
  assert.isFalse(Cause.hasDies(exit.cause), Cause.pretty(exit.cause))
  const error = Cause.squash(exit.cause)
  assert.isTrue(error instanceof CdsError || error instanceof ConfigInvalid, String(error))
}

const oneCall = ({ call, region, id, replies, signin }: Case) => {
  let nth = 0
  const stand = api(
    (seen) => {
      if (seen.path === signinPath) return signin ?? signedIn(seen.at)
      if (seen.path === signinPathV1) return signin ?? signedInV1(seen.at)
      assert.match(seen.path, known)
      return replies[nth++ % replies.length]!
    },
    { cds: { token: consumerTokenV1() } }
  )
  return Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(calls[call]!(yield* Cds, region, id))
    yield* TestClock.adjust("10 minutes")
    typed(yield* Fiber.await(fiber))
  }).pipe(Effect.provide(stand.layer))
}

const event = JSON.stringify({ job_run_id: "job-1", region: "r1", model_type: "vsphere", project_key: "PROJ" })

const frame = (chance: Chance): string => (chance.is(0.5) ? mutateJsonText(chance, event) : mutateText(chance, event))

describe("malformed answers of the CDS API", () => {
  it.effect("give a value or a typed error, whatever the call and the ids are; none leads to another path", () =>
    cases(400, malformed, oneCall)
  )

  it.effect("as events are left out one by one; the next good one is seen", () => {
    const stand = api((seen) => (seen.path === signinPath ? signedIn(seen.at) : { status: 200, body: [] }))
    return Effect.gen(function* () {
      const { sightings } = yield* Cds
      const ids: Array<string> = []
      const reading = yield* Effect.forkScoped(
        Stream.runForEach(sightings, ({ id }) => Effect.sync(() => ids.push(id)))
      )
      yield* TestClock.adjust("1 second")
      const [connection] = stand.connections
      yield* cases(500, frame, (text) =>
        Effect.gen(function* () {
          yield* connection!.send(text)
          yield* connection!.send(event.replace("job-1", "good"))
          yield* TestClock.adjust("1 millis")
          assert.strictEqual(ids.at(-1), "good")
          assert.isUndefined(reading.pollUnsafe())
        })
      )
      assert.strictEqual(stand.connections.length, 1)
    }).pipe(Effect.provide(stand.layer))
  })

  const corpus: Readonly<Record<string, Partial<Case>>> = {
    "an id that is no well-formed text": { id: "\uD800" },
    "an id that leads a level up": { id: ".." },
    "a region that stays where it is": { region: "." },
    "an id that is empty": { id: "" },
    "a queue time out of range": {
      replies: [{ status: 200, body: { runjob: { ...jobToWire(job, "auto"), queued: "9999-99-99T99:99:99Z" } } }]
    }
  }
  for (const [title, found] of Object.entries(corpus))
    it.effect(`do no harm with ${title}`, () =>
      Effect.forEach(
        calls.keys(),
        (call) => oneCall({ call, region: "r1", id: "job-1", replies: [{ status: 404 }], signin: undefined, ...found }),
        { discard: true }
      )
    )
})
