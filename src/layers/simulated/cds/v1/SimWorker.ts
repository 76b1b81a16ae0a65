/** The stand-in worker on the V1 side: it runs the job that it was made for, or registers its model (cds-contract 6.4). */
import { Clock, Effect, Option, Schema } from "effect"
import { asked, capabilities, endure, planOf } from "../WorkerCalls.ts"
import type { Behaviour, Caller } from "../WorkerCalls.ts"

/** Signs in, which alone makes a register-only worker register its model, and out again. */
export const register = Effect.fnUntraced(function* ({ post }: Caller, token: string) {
  const { session = "" } = yield* asked("signin", post("/auth/consumer/worker/signin", token, capabilities))
  yield* post("/auth/consumer/worker/signout", session, {})
  return "registered its model"
})

const decodeInfos = Schema.decodeOption(Schema.fromJsonString(Schema.Struct({ status: Schema.String })))

export const runV1 = Effect.fnUntraced(function* (
  { get, post }: Caller,
  token: string,
  jobId: number,
  behaviour: Behaviour
) {
  const job = `/queue/workflows/${jobId}`
  const { session = "" } = yield* asked("signin", post("/auth/consumer/worker/signin", token, capabilities))
  yield* asked("infos", get(`${job}/infos`, session))
  yield* asked("waiting", post("/worker/waiting", session, {}))
  const plan = yield* Effect.flatMap(asked("take", post(`${job}/take`, session, {})), planOf)
  const beat = Effect.gen(function* () {
    if ((yield* post("/worker/refresh", session, {})).status === 401) return false
    const { body, status } = yield* get(`${job}/infos`, session)
    // Its row is gone. A real worker, which looks each five seconds, sees the end before that as a rule.
    if (status === 403) return false
    return Option.match(decodeInfos(body), { onNone: () => true, onSome: (infos) => infos.status === "Building" })
  })
  const finished = yield* endure(plan, beat, behaviour)
  if (finished) {
    const remoteTime = new Date(yield* Clock.currentTimeMillis).toISOString()
    const result = { id: jobId, buildID: jobId, status: behaviour.outcome ?? plan.outcome, reason: "", remoteTime }
    yield* asked("result", post(`${job}/result`, session, result))
  }
  yield* post("/auth/consumer/worker/signout", session, {})
  return finished ? `ran job ${jobId}` : `job ${jobId} has ended without us`
})
