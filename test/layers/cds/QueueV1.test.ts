import { assert, describe, it } from "@effect/vitest"
import { Effect } from "effect"
import { TestClock } from "effect/testing"
import { allowance } from "../../../src/actors/vm/deadlines.ts"
import type { SettingsShape } from "../../../src/schema/Settings.ts"
import { defaults } from "../../../src/schema/config/defaults.ts"
import { Cds } from "../../../src/services/Cds.ts"
import type { Notice } from "../../../src/services/Cds.ts"
import { claim } from "../../actors/vm/sample.ts"
import { apiV1, forbidden, inTurn, moving, noContent, ok, unauthorized, withSignin } from "./api.ts"
import type { Reply } from "./api.ts"

const id = "777"
const jobPath = `/queue/workflows/${id}`
const [readPath, bookPath, resultPath, infoPath] = ["infos", "book", "result", "spawn/infos"].map(
  (part) => `${jobPath}/${part}`
) as [string, string, string, string]

const job = (more: object = {}) => ({
  id: 777,
  project_id: 1,
  workflow_node_run_id: 55,
  status: "Waiting",
  queued: "2026-01-01T00:00:00.5Z",
  model: "",
  model_type: "vsphere",
  region: "north",
  bookedby: {},
  exec_groups: [{ id: 1, name: "shared.infra" }],
  header: { "X-Workflow-Run": "3", "X-Workflow": "wf", "X-Project-Key": "PRJ" },
  job: { action: { name: "build", requirements: [{ id: 0, name: "git", type: "binary", value: "git" }] } },
  ...more
})

const ours = job({ bookedby: { name: "my-hatch", id: 42 } })
const theirs = job({ bookedby: { name: "other", id: 7 } })

const booked: Reply = ok({ project_key: "PRJ", workflow_name: "wf", workflow_id: 1, run_id: 2, job_name: "build" })
const alreadyBooked: Reply = { status: 403, body: { id: 89, message: "job already booked" } }

type Api = { -readonly [K in "book" | "read" | "release" | "result" | "info" | "workers" | "disable"]?: () => Reply }

const routes: ReadonlyArray<readonly [keyof Api, method: string, path: string]> = [
  ["read", "GET", readPath],
  ["book", "POST", bookPath],
  ["release", "DELETE", bookPath],
  ["result", "POST", resultPath],
  ["info", "POST", infoPath],
  ["workers", "GET", "/worker"],
  ["disable", "POST", "/worker/w-1/disable"]
]

const usual: Readonly<Record<keyof Api, Reply>> = {
  read: ok(job()),
  book: alreadyBooked,
  release: ok(null),
  result: noContent,
  info: noContent,
  workers: ok(null),
  disable: noContent
}

/** Answers by what is asked of the job. */
const world = (answers: Api, own: Partial<SettingsShape> = {}) =>
  apiV1(
    withSignin(({ method, path }) => {
      const [name] = routes.find(([, verb, at]) => verb === method && at === path) ?? []
      return name === undefined ? forbidden() : (answers[name]?.() ?? usual[name])
    }),
    own
  )

const readJob = (wire: unknown) =>
  Cds.use((cds) => cds.job("", id)).pipe(
    Effect.provide(world({ read: () => ok(wire) }).layer),
    Effect.catchTag("ConfigInvalid", Effect.die)
  )

describe("reading a V1 job", () => {
  it.effect("tells what a hatchery needs of it", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* readJob(job()), {
        job: {
          id,
          status: "Waiting",
          region: "north",
          projectKey: "PRJ",
          workflowName: "wf",
          jobName: "build",
          runNumber: 3,
          queuedAt: Date.UTC(2026, 0, 1) + 500,
          modelType: "vsphere",
          osArch: "",
          workerName: "",
          hatcheryName: "",
          runsOn: { model: "", memory: "", flavor: "" },
          hasServices: false,
          v1: { requirements: [{ name: "git", type: "binary", value: "git" }], execGroups: ["shared.infra"] }
        },
        model: undefined
      })
    })
  )

  it.effect("shows a booked job as Scheduling at whoever booked it, and only while it waits", () =>
    Effect.gen(function* () {
      assert.deepInclude((yield* readJob(theirs)).job, { status: "Scheduling", hatcheryName: "other" })
      const started = { status: "Building", hatchery_name: "my-hatch", worker_name: "stoic-keldysh" }
      const running = (yield* readJob(job({ ...started, bookedby: { name: "other" } }))).job
      assert.deepInclude(running, { status: "Building", hatcheryName: "my-hatch", workerName: "stoic-keldysh" })
    })
  )

  it.effect("knows the ends of V1 jobs", () =>
    Effect.gen(function* () {
      const ends = {
        Success: "Success",
        Fail: "Fail",
        Stopped: "Stopped",
        Disabled: "Skipped",
        "Never Built": "Skipped"
      }
      for (const [wire, status] of Object.entries(ends)) {
        assert.strictEqual((yield* readJob(job({ status: wire }))).job.status, status)
      }
    })
  )

  it.effect("takes null and absent for empty", () =>
    Effect.gen(function* () {
      const { job: found } = yield* readJob({
        id: 777,
        status: "Waiting",
        bookedby: null,
        exec_groups: null,
        header: null,
        job: { action: { name: "build", requirements: null } }
      })
      assert.deepInclude(found, { region: "", projectKey: "", runNumber: 0, queuedAt: 0, hatcheryName: "" })
      assert.deepStrictEqual(found.v1, { requirements: [], execGroups: [] })
    })
  )

  it.effect("sees that a job asks for a service", () =>
    Effect.gen(function* () {
      const action = { name: "build", requirements: [{ name: "pg", type: "service", value: "postgres:13" }] }
      assert.isTrue((yield* readJob(job({ job: { action } }))).job.hasServices)
    })
  )

  it.effect("does not find a job that CDS answers 403 for, as it does where it knows none", () => {
    const { layer } = world({ read: () => forbidden("not authorized for job 777") })
    return Cds.use((cds) => Effect.flip(cds.job("", id))).pipe(
      Effect.map((error) => {
        assert.deepInclude(error, { kind: "notFound", call: "job", status: 403, id: 11 })
        assert.match(error.message, /not authorized/)
      }),
      Effect.provide(layer)
    )
  })

  it.effect("refuses a number above 2^53, which would be another job's by the time it is read", () =>
    Effect.gen(function* () {
      const big = "9007199254740993"
      const answered = yield* Effect.flip(readJob(`{"id":${big},"status":"Waiting"}`))
      assert.strictEqual(answered.kind, "malformed")
      assert.strictEqual(answered.message, "not what the protocol says: id (a job's number, above 0 and below 2^53)")
      const { layer, seen } = world({})
      const asked = yield* Cds.use((cds) => Effect.flip(cds.take("", big))).pipe(Effect.provide(layer))
      assert.strictEqual(asked.kind, "refused")
      assert.include(asked.message, big)
      assert.lengthOf(seen, 0)
    })
  )
})

const take = Cds.use((cds) => moving(cds.take("", id)))
const refusedTake = Cds.use((cds) => moving(Effect.flip(cds.take("", id))))

describe("taking a V1 job", () => {
  it.effect(
    "books it until its machine has been cloned and has booted, and its worker has signed in; gives it as it is then",
    () => {
      const times = {
        ...defaults.times,
        cloneMs: 400_000,
        taskMs: 50_000,
        guestOperationsMs: 30_000,
        guestAddressMs: 2_000,
        guestProbeMs: 1_000,
        workerRegistrationTtlMs: 90_500
      }
      const { layer, calls } = world({ book: () => booked, read: () => ok(ours) }, { times })
      return Effect.gen(function* () {
        assert.deepInclude(yield* take, { id, status: "Scheduling", hatcheryName: "my-hatch" })
        assert.deepStrictEqual(
          calls(bookPath).map(({ body }) => body),
          [{ delay: 624 }]
        )
        const powered = allowance({ _tag: "Powered", claim, on: false }, times) ?? 0
        const running = allowance({ _tag: "Running", claim, signedIn: false, resumed: false }, times) ?? 0
        assert.isAtLeast(624_000, times.cloneMs + powered + running)
        assert.lengthOf(calls(readPath), 1)
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("is not found when it is booked or unknown, without a second look", () =>
    Effect.forEach([alreadyBooked, forbidden()], (reply) => {
      const { layer, calls } = world({ book: () => reply })
      return Effect.gen(function* () {
        assert.strictEqual((yield* refusedTake).kind, "notFound")
        assert.lengthOf(calls(bookPath), 1)
        assert.lengthOf(calls(readPath), 0)
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect("is not found when a worker has it already, as CDS books such a job too", () => {
    const { layer } = world({ book: () => booked, read: () => ok(job({ status: "Building" })) })
    return Effect.map(refusedTake, ({ kind, message }) => {
      assert.strictEqual(kind, "notFound")
      assert.match(message, /Building/)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is ours when the answer was lost and the booking shows our name", () =>
    Effect.forEach(["cut", { status: 500, body: { id: 1 } }] as ReadonlyArray<Reply>, (lost) => {
      const { layer } = world({ book: inTurn(lost, alreadyBooked), read: () => ok(ours) })
      return Effect.map(take, ({ hatcheryName }) => assert.strictEqual(hatcheryName, "my-hatch")).pipe(
        Effect.provide(layer)
      )
    })
  )

  it.effect("is not found when the answer was lost and another has booked it", () => {
    const { layer } = world({ book: inTurn("cut", alreadyBooked), read: () => ok(theirs) })
    return Effect.map(refusedTake, ({ kind, message }) => {
      assert.strictEqual(kind, "notFound")
      assert.match(message, /other/)
    }).pipe(Effect.provide(layer))
  })

  it.effect("books again when the lost booking has done nothing", () => {
    let books = 0
    const { layer } = world({
      book: () => (++books <= 3 ? "cut" : booked),
      read: () => ok(books <= 3 ? job() : ours)
    })
    return Effect.map(take, ({ status }) => assert.strictEqual(status, "Scheduling")).pipe(Effect.provide(layer))
  })

  it.effect("is ours although the session ended while the answer was lost", () => {
    const { layer } = world({ book: inTurn("cut", unauthorized, alreadyBooked), read: () => ok(ours) })
    return Effect.map(take, ({ hatcheryName }) => assert.strictEqual(hatcheryName, "my-hatch")).pipe(
      Effect.provide(layer)
    )
  })

  it.effect("reads the job again and again when the booked one cannot be read, and books it no second time", () => {
    let reads = 0
    const unreadable: ReadonlyArray<Reply> = ["cut", { status: 503 }, "silence", ok("<html></html>")]
    const { layer, calls } = world({ book: () => booked, read: () => unreadable[reads++] ?? ok(ours) })
    return Effect.gen(function* () {
      assert.deepInclude(yield* take, { id, status: "Scheduling", hatcheryName: "my-hatch" })
      assert.lengthOf(calls(bookPath), 1)
      assert.isAbove(reads, unreadable.length)
    }).pipe(Effect.provide(layer))
  })

  it.effect("is not found when CDS does not know the booked job, which is for the caller to look at", () => {
    const { layer, calls } = world({ book: () => booked, read: () => forbidden() })
    return Effect.gen(function* () {
      assert.strictEqual((yield* refusedTake).kind, "notFound")
      assert.lengthOf(calls(bookPath), 1)
    }).pipe(Effect.provide(layer))
  })
})

describe("ending a V1 job that was taken", () => {
  const release = Cds.use((cds) => moving(cds.release("", id)))
  const notBooked: Reply = { status: 400, body: { id: 135, message: "job not booked" } }

  it.effect("releases the booking, and one that has run out is released already", () =>
    Effect.forEach([inTurn(ok(null)), inTurn("cut", notBooked), inTurn(notBooked)], (reply) => {
      const { layer, calls } = world({ release: reply })
      return Effect.gen(function* () {
        yield* release
        assert.isTrue(calls(bookPath).every(({ method }) => method === "DELETE"))
      }).pipe(Effect.provide(layer))
    })
  )

  it.effect(
    "does not release again unasked when an answer is lost: the booking may be another hatchery's by now",
    () => {
      const { layer, calls } = world({ release: () => "cut", read: () => ok(ours) })
      return Effect.gen(function* () {
        const { kind } = yield* Cds.use((cds) => moving(Effect.flip(cds.release("", id))))
        assert.strictEqual(kind, "unreachable")
        assert.lengthOf(calls(bookPath), 1)
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("does not find a job to release that CDS does not know", () => {
    const { layer } = world({ release: () => forbidden() })
    return Cds.use((cds) => Effect.flip(cds.release("", id))).pipe(
      Effect.map(({ kind }) => assert.strictEqual(kind, "notFound")),
      Effect.provide(layer)
    )
  })

  const fail = Cds.use((cds) => moving(cds.fail("", id, "no machine")))

  it.effect("fails a job that waits by its result", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      yield* fail
      assert.deepStrictEqual(
        calls(resultPath).map(({ body }) => body),
        [{ id: 777, buildID: 777, status: "Fail", reason: "no machine", remoteTime: "2026-01-01T00:00:00.000Z" }]
      )
      assert.lengthOf(calls(readPath), 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("has failed it when the answer was lost and the job is over, or not known any more", () =>
    Effect.forEach([ok(job({ status: "Fail" })), forbidden()], (read) =>
      Effect.provide(fail, world({ result: inTurn("cut", forbidden()), read: () => read }).layer)
    )
  )

  const listed = { id: "w-1", name: "stoic-keldysh", status: "Building", job_run_id: 777 }

  it.effect("fails a job that a worker runs by disabling that worker, after the reason was told", () => {
    const { layer, seen } = world({
      result: () => forbidden(),
      read: () => ok(job({ status: "Building" })),
      workers: () => ok([{ ...listed, id: "w-0", job_run_id: 776 }, listed])
    })
    return Effect.gen(function* () {
      yield* fail
      const made = seen.slice(1).map(({ method, path }) => `${method} ${path}`)
      assert.deepStrictEqual(made, [
        `POST ${resultPath}`,
        `GET ${readPath}`,
        "GET /worker",
        `POST ${infoPath}`,
        "POST /worker/w-1/disable"
      ])
      assert.include(seen[4]?.body[0].message.args, "no machine")
    }).pipe(Effect.provide(layer))
  })

  it.effect("has not failed it when the refusal is no echo and no worker runs it", () =>
    Effect.forEach([job({ status: "Building" }), job(), job({ status: "Success" })], (found) => {
      const { layer, calls } = world({ result: () => forbidden(), read: () => ok(found) })
      return Effect.gen(function* () {
        const error = yield* Cds.use((cds) => moving(Effect.flip(cds.fail("", id, "no machine"))))
        assert.deepInclude(error, { kind: "refused", call: "fail" })
        assert.lengthOf(calls("/worker/w-1/disable"), 0)
      }).pipe(Effect.provide(layer))
    })
  )
})

describe("telling the user of a V1 job", () => {
  const [workerName, modelName] = ["stoic-keldysh", "shared.infra/deb"]
  const size = "2 CPUs, 4096 MB"
  const told: ReadonlyArray<readonly [Notice, string, ReadonlyArray<string>]> = [
    [{ _tag: "Starts", workerName, modelName }, "MsgSpawnInfoHatcheryStarts", ["my-hatch", workerName, modelName]],
    [
      { _tag: "SpawnFailed", workerName, modelName, afterMs: 66_400, reason: "no login" },
      "MsgSpawnInfoHatcheryErrorSpawn",
      ["my-hatch", modelName, "66s", "no login"]
    ],
    [
      { _tag: "Waits", modelName, reason: "maxWorker is reached" },
      "MsgSpawnInfoHatcheryErrorSpawn",
      ["my-hatch", modelName, "0s", "maxWorker is reached"]
    ],
    [{ _tag: "DeprecatedModel", modelName }, "MsgSpawnInfoDeprecatedModel", [modelName]],
    [
      { _tag: "Sized", workerName, flavor: "big", size },
      "MsgSpawnInfoHatcheryStartsFlavor",
      [workerName, `big (${size})`]
    ]
  ]

  it.effect("is done by CDS's own messages, each with its arguments", () => {
    const { layer, calls } = world({})
    return Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 1))
      const { tell } = yield* Cds
      for (const [notice] of told) yield* tell("", id, notice)
      assert.deepStrictEqual(
        calls(infoPath).map(({ body }) => body),
        told.map(([, message, args]) => [
          {
            api_time: "0001-01-01T00:00:00Z",
            remote_time: "2026-01-01T00:00:00.000Z",
            message: { id: message, args }
          }
        ])
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("is left out for the size of a template, for which CDS has no message", () => {
    const { layer, seen } = world({})
    return Effect.gen(function* () {
      yield* Cds.use((cds) => cds.tell("", id, { _tag: "Sized", workerName, flavor: "", size }))
      assert.lengthOf(seen, 0)
    }).pipe(Effect.provide(layer))
  })
})
