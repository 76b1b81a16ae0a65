/** A recorded story, told to the simulated API: what it answers otherwise than the real one. */
import { createPublicKey, generateKeyPairSync, sign } from "node:crypto"
import { Clock, Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { isFinal } from "../../../src/schema/Job.ts"
import { encodePublicKey } from "../../../src/layers/simulated/cds/Keys.ts"
import * as SimCds from "../../../src/layers/simulated/cds/SimCds.ts"
import type { JobOrder } from "../../../src/layers/simulated/cds/Order.ts"
import type { JobOrderV1, ModelAsCodeOrder, ModelOrder } from "../../../src/layers/simulated/cds/v1/Order.ts"
import { aWorker, type Asked, type Happening, json, type Recording } from "./Recording.ts"
import { differences, see, shapeOf, type Sightings } from "./Shape.ts"

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
const publicKey = encodePublicKey(createPublicKey(privateKey))

const part = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A worker's token as its hatchery signs it. */
const signed = (worker: unknown, now: number): string => {
  const iat = Math.floor(now / 1000)
  const text = `${part({ alg: "RS512", typ: "JWT" })}.${part({ iat, exp: iat + 3600, Worker: worker })}`
  return `${text}.${sign("sha512", Buffer.from(text), privateKey).toString("base64url")}`
}

/** What stands for a name of the story here. */
type Names = Map<string, string | number>

const filled = (value: unknown, names: Names): unknown => {
  if (Array.isArray(value)) return value.map((one) => filled(one, names))
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, filled(inner, names)]))
  const name = typeof value === "string" ? /^\{(.*)\}$/.exec(value)?.[1] : undefined
  return name === undefined ? value : (names.get(name) ?? value)
}

const happen = Effect.fnUntraced(function* (api: SimCds.SimCds, { happens, name, order }: Happening, names: Names) {
  if (happens === "job") names.set(name, (yield* api.enqueue(order as JobOrder))[0] ?? "")
  if (happens === "job of V1") names.set(name, Number((yield* api.enqueueV1(order as JobOrderV1))[0]))
  if (happens === "end of V1") {
    const job = api.state.v1.jobs.get(`${names.get(name)}`)
    if (job !== undefined) job.gone = isFinal(job.status)
  }
  if (happens === "model of V1") names.set(name, (yield* api.addModel(order as unknown as ModelOrder)).id)
  if (happens === "model as code") yield* api.addModelAsCode(order as unknown as ModelAsCodeOrder)
})

const ask = Effect.fnUntraced(function* (api: SimCds.SimCds, { by, method, path, body, opens }: Asked, names: Names) {
  const now = yield* Clock.currentTimeMillis
  names.set("time", new Date(now).toISOString())
  names.set("token", path.startsWith("/v2/") ? api.identities[0]!.token : api.identities[0]!.tokenV1)
  const token = typeof by === "string" ? names.get(by) : by === undefined ? undefined : signed(filled(by, names), now)
  const url = path.replace(/\{(.*?)\}/g, (_, name: string) => `${names.get(name)}`)
  const answering = yield* Effect.forkChild(
    api.handle({
      method,
      url,
      headers: {
        "content-type": "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` })
      },
      body: body === undefined ? undefined : JSON.stringify(filled(body, names))
    })
  )
  // A take is some time under way.
  yield* TestClock.adjust("100 millis")
  const answer = yield* Effect.orDie(Fiber.join(answering))
  const told = parsed(answer.body)
  if (opens !== undefined) names.set(opens, answer.headers["X-CDS-JWT"] ?? (told as { token: string }).token)
  return { status: answer.status, told }
})

/** The body without what the simulated API adds for its stand-in worker. */
const parsed = (text = ""): unknown => {
  const told = json(text)
  if (typeof told !== "object" || told === null || !("simulation" in told)) return told
  const { simulation: _, ...body } = told
  return body
}

/** What workers alone read need not be told in full. */
const isForWorkers = (answer: string): boolean => answer.includes(" to worker") || answer.endsWith(aWorker)

/** Tells the story; answers a line for each status that is another, and for each shape that is. */
export const replay = ({ hatchery, answers, story }: Recording): Effect.Effect<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    // When rows of ended jobs are deleted is told by the story.
    const timings = { endedPassMs: 24 * 3_600_000 }
    const api = yield* SimCds.make({ seed: 1, hatcheries: [hatchery], timings })
    const names: Names = new Map([["public_key", publicKey]])
    const seen = new Map<string, Sightings>()
    const wrong: Array<string> = []
    let at = 0
    for (const step of story) {
      yield* TestClock.adjust(Math.max(0, step.at - at) * 1000)
      at = Math.max(at, step.at)
      if ("happens" in step) {
        yield* happen(api, step, names)
        continue
      }
      const { status, told } = yield* ask(api, step, names)
      if (status !== step.status)
        wrong.push(`${step.answer}: the simulated API says ${status} ${JSON.stringify(told)}, not ${step.status}`)
      else {
        const sightings = seen.get(step.answer) ?? new Map()
        seen.set(step.answer, sightings)
        see(sightings, told)
      }
    }
    for (const [key, sightings] of seen)
      for (const line of differences(answers[key] ?? {}, shapeOf(sightings), isForWorkers(key)))
        wrong.push(`${key}: ${line}`)
    return [...new Set(wrong)]
  }).pipe(Effect.scoped, Effect.provide(TestClock.layer()))
