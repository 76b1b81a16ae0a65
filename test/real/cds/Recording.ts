/**
 * What passed between a hatchery, its workers and the real API, as a story that can be told again elsewhere: who asked what, how it was answered,
 * and what must have happened at CDS before. Nothing of it is secret: of answers only status and shape are kept, of requests the words below.
 */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type { Exchange } from "../harness/Tap.ts"
import { see, type Shape, shapeOf, type Sightings } from "./Shape.ts"

/** Something that happened at CDS, told by the first answer that shows it. `order` is what the simulated API takes. */
export interface Happening {
  readonly at: number
  readonly happens: "job" | "job of V1" | "end of V1" | "model of V1" | "model as code"
  /** How requests name it, such as `job 1`. */
  readonly name: string
  readonly order: Readonly<Record<string, unknown>>
}

/** Names of this run stand in braces, such as `{job 1}`. */
export interface Asked {
  /** Seconds since the first exchange. */
  readonly at: number
  /** The session's name, or what is in a worker's own token; nothing for a stranger. */
  readonly by?: string | Readonly<Record<string, unknown>>
  readonly method: string
  readonly path: string
  readonly body?: unknown
  readonly status: number
  /** Which of the answers. */
  readonly answer: string
  /** The session that the answer opens. */
  readonly opens?: string
}

/** The hatchery that this is about, as the simulated API is to know it. */
export interface Hatchery {
  readonly name: string
  readonly region: string
  readonly groups: ReadonlyArray<string>
}

export interface Recording {
  readonly hatchery: Hatchery
  /** By who asked and what: the shape of all answers together. */
  readonly answers: Readonly<Record<string, Shape>>
  readonly story: ReadonlyArray<Happening | Asked>
}

/** In the name of an answer: who came with a worker's own token. */
export const aWorker = "a worker's token"

type Json = Readonly<Record<string, any>>

/** A body: undefined for none, "text" for one that is no JSON. */
export const json = (text: string): unknown => {
  try {
    return text === "" ? undefined : (JSON.parse(text) as unknown)
  } catch {
    return "text"
  }
}

const bearer = ({ headers }: Exchange): string => headers.authorization?.replace(/^Bearer /, "") ?? ""

/** The claims of a worker's own token; undefined for a session. */
const claimsOf = (token: string): Json | undefined => {
  const payload = json(Buffer.from(token.split(".")[1] ?? "", "base64url").toString()) as Json | undefined
  return payload?.["Worker"] as Json | undefined
}

/** Keys of requests whose text is kept. */
const plainKeys = new Set(
  "BinaryCapabilities,Version,OS,Arch,level,status,component,type,id,region,version,name,worker_model,model_name,hatchery_name".split(
    ","
  )
)
/** Keys of requests whose number is a V1 job's. */
const jobKeys = new Set(["buildID", "job_id"])
const jobV1 = /^\/queue\/workflows\/(\d+)\/infos$/
const time = /^\d{4}-\d{2}-\d{2}T[\d:.]+(Z|[+-]\d{2}:\d{2})$/

/** A path without the names in it. */
const kindOf = (path: string): string =>
  path
    .replace(/\?.*/, "")
    .replace(/\{job \d+\}/, "{job}")
    .replace(/\/workflows\/[^/]+\/runs\/\d+$/, "/workflows/{workflow}/runs/{number}")

const askerOf = (by: Asked["by"]): string =>
  by === undefined ? "a stranger" : typeof by === "string" ? by.replace(/ \d+$/, "") : aWorker

/** One who listens to a run from its beginning. */
class Recorder {
  readonly story: Array<Happening | Asked> = []
  readonly #seen = new Map<string, Sightings>()
  /** By what the run calls them: ids of jobs, paths of models. */
  readonly #names = new Map<string, string>()
  readonly #sessions = new Map<string, string>()
  readonly #models = new Map<number, string>()
  /** Tokens of sessions that were signed out. */
  readonly #ended = new Set<string>()
  /** What was asked since something last changed. */
  readonly #again = new Set<string>()
  #start: number | undefined

  answers(): Recording["answers"] {
    const all = [...this.#seen].toSorted(([a], [b]) => (a < b ? -1 : 1))
    return Object.fromEntries(all.map(([key, seen]) => [key, shapeOf(seen)]))
  }

  hear(exchange: Exchange): void {
    const { method, path, status, answer, answerHeaders } = exchange
    const token = bearer(exchange)
    // What crosses the end of its session, and what the API fails at, may be answered otherwise the next time.
    if (status >= 500 || this.#ended.has(token)) return
    if (path.endsWith("/signout")) this.#ended.add(token)
    const date = Date.parse(answerHeaders.date ?? "") / 1000
    this.#start ??= date
    const at = date - this.#start
    const body = json(answer)
    if (status === 200) this.#happenings(at, method, path, body)
    if (status === 403) this.#deleted(at, path)
    const by = this.#sessions.get(token) ?? this.#claims(token)
    const asked = this.#name(path)
    const key = `${method} ${kindOf(asked)} ${status} to ${askerOf(by)}`
    const seen = this.#seen.get(key) ?? new Map()
    this.#seen.set(key, seen)
    see(seen, body)
    if (this.#isRepeated(exchange, `${token} ${path} ${status}`)) return
    const opened = this.#opens(exchange, body)
    this.story.push({
      at,
      ...(by === undefined ? {} : { by }),
      method,
      path: asked,
      ...(exchange.request === "" ? {} : { body: this.#told(json(exchange.request), "") }),
      status,
      answer: key,
      ...(opened === undefined ? {} : { opens: opened })
    })
  }

  #isRepeated({ method, path }: Exchange, question: string): boolean {
    const changes = method !== "GET" && !/\/(heartbeat|refresh|infos?|step)$/.test(path)
    if (changes) this.#again.clear()
    else if (this.#again.has(question)) return true
    this.#again.add(question)
    return false
  }

  #opens({ path, answerHeaders }: Exchange, body: unknown): string | undefined {
    const told = answerHeaders["x-cds-jwt"] ?? (path.endsWith("/signin") ? (body as Json)?.["token"] : undefined)
    if (typeof told !== "string") return undefined
    const who = path.includes("worker") ? "worker" : "hatchery"
    const side = path.startsWith("/v2/") ? "V2" : "V1"
    const name = `${who} of ${side} ${this.#sessions.size + 1}`
    this.#sessions.set(told, name)
    return name
  }

  #happenings(at: number, method: string, path: string, body: unknown): void {
    const answer = body as any
    const [where = ""] = path.split("?")
    const isJob = /^\/v2\/queue\/[^/]+\/job\/[^/]+$/.test(where)
    if (method !== "GET") return
    if (/^\/v2\/queue\/[^/]+$/.test(where)) for (const job of answer ?? []) this.#job(at, job, undefined)
    if (isJob) this.#job(at, answer.runjob, answer.model)
    if (where === "/queue/workflows") for (const job of answer ?? []) this.#jobV1(at, job)
    if (jobV1.test(where)) this.#jobV1(at, answer)
    if (where === "/worker/model/enabled") for (const model of answer ?? []) this.#modelV1(at, model)
    const asCode = /^\/v2\/project\/([^/]+)\/vcs\/([^/]+)\/repository\/([^/]+)\/workermodel\/([^/]+)$/.exec(where)
    if (asCode !== null) this.#modelAsCode(at, asCode.slice(1).map(decodeURIComponent).join("/"), answer)
  }

  #happen(at: number, happens: Happening["happens"], id: string, name: string, order: Happening["order"]): void {
    this.#names.set(id, name)
    this.#again.clear()
    this.story.push({ at, happens, name, order })
  }

  #job(at: number, job: Json, model: Json | undefined): void {
    if (this.#names.has(job["id"])) return
    const asked = job["job"]["runs-on"]
    const { flavor = "" } = typeof asked === "string" ? {} : asked
    this.#happen(at, "job", job["id"], `job ${this.#names.size + 1}`, {
      project: job["project_key"],
      workflow: job["workflow_name"],
      job: job["job_id"],
      region: job["region"],
      model: model?.["name"] ?? "debian",
      ...(flavor === "" ? {} : { flavor })
    })
  }

  #jobV1(at: number, job: Json): void {
    if (this.#names.has(`${job["id"]}`)) return
    const { header, job: what, region, model_type: modelType, exec_groups: groups } = job
    const requirements = (what.action.requirements ?? []).map(({ name, type, value }: Json) => ({ name, type, value }))
    this.#happen(at, "job of V1", `${job["id"]}`, `job ${this.#names.size + 1}`, {
      project: header["X-Project-Key"],
      workflow: header["X-Workflow"],
      job: what.action.name,
      requirements,
      groups: (groups ?? []).map(({ name }: Json) => name),
      ...(region === undefined ? {} : { region }),
      ...(modelType === undefined ? {} : { modelType })
    })
  }

  /** The API deletes the row of a job that has ended at a moment of its own. */
  #deleted(at: number, path: string): void {
    const name = this.#names.get(jobV1.exec(path)?.[1] ?? "")
    const gone = this.story.some((step) => "happens" in step && step.happens === "end of V1" && step.name === name)
    if (name === undefined || gone) return
    this.#again.clear()
    this.story.push({ at, happens: "end of V1", name, order: {} })
  }

  #modelV1(at: number, model: Json): void {
    const path = `${model["group"].name}/${model["name"]}`
    if (this.#models.has(model["id"])) return
    this.#models.set(model["id"], `model ${path}`)
    const { image, pre_cmd: preCmd, cmd, post_cmd: postCmd } = model["model_virtual_machine"]
    const order = {
      group: model["group"].name,
      name: model["name"],
      image,
      preCmd,
      cmd,
      postCmd,
      user: "worker",
      password: "secret"
    }
    this.#happen(at, "model of V1", path, `model ${path}`, order)
  }

  #modelAsCode(at: number, path: string, { osarch, spec }: Json): void {
    if (!this.#names.has(path))
      this.#happen(at, "model as code", path, path, { path, osArch: osarch, image: spec.image })
  }

  /** Ids of jobs in a path by their names; of V1 they are whole parts of it. */
  #name(path: string): string {
    return path
      .split(/(?=[/?])/)
      .map((part) => {
        const name = this.#names.get(part.slice(1))
        return name?.startsWith("job ") === true && !path.startsWith("/project/") ? `/{${name}}` : part
      })
      .join("")
  }

  #claims(token: string): Json | undefined {
    const claims = claimsOf(token)
    if (claims === undefined) return undefined
    const model = this.#models.get(claims["model"]?.id)
    return {
      ...(this.#told(claims, "") as Json),
      ...(claims["model"] === undefined ? {} : { model: model === undefined ? {} : { id: `{${model}}` } })
    }
  }

  #told(value: unknown, key: string): unknown {
    if (key === "config") return {}
    if (key === "lines" && Array.isArray(value)) return this.#told(value.slice(0, 1), "")
    if (Array.isArray(value)) return value.map((one) => this.#told(one, key))
    if (typeof value === "object" && value !== null)
      return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, this.#told(part, name)]))
    if (typeof value === "number") return jobKeys.has(key) ? `{${this.#names.get(`${value}`)}}` : value
    if (typeof value !== "string") return value
    const name = this.#names.get(value)
    if (name !== undefined && name.startsWith("job ")) return `{${name}}`
    if (key === "token" || key === "public_key") return `{${key}}`
    return time.test(value) ? "{time}" : plainKeys.has(key) ? value : ""
  }
}

/** Tells a run that was listened to from its beginning. What only asks again is left out. */
export const record = (hatchery: Hatchery, exchanges: ReadonlyArray<Exchange>): Recording => {
  const recorder = new Recorder()
  for (const exchange of exchanges) recorder.hear(exchange)
  return { hatchery, answers: recorder.answers(), story: recorder.story }
}

const kept = join(import.meta.dirname, "recording.json")

/** A line for each answer and each step. */
export const keep = ({ hatchery, answers, story }: Recording): void => {
  const told = Object.entries(answers).map(([key, shape]) => `${JSON.stringify(key)}: ${JSON.stringify(shape)}`)
  const steps = story.map((step) => JSON.stringify(step))
  const text = `{"hatchery": ${JSON.stringify(hatchery)},\n"answers": {\n${told.join(",\n")}\n},\n"story": [\n${steps.join(",\n")}\n]}\n`
  writeFileSync(kept, text)
}

/** The one that was kept. */
export const read = (): Recording => JSON.parse(readFileSync(kept, "utf8")) as Recording
