/** VMware's own simulator (test/real/vcenter) as a process, and its control port. */
import { Effect, type Scope } from "effect"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { explained, failure, reading } from "./asking.ts"
import * as Go from "./Go.ts"
import { HarnessError } from "./HarnessError.ts"
import * as Process from "./Process.ts"

export const folder = "test/real/vcenter"

/** The accounts that the program has unless told otherwise. */
export const account = { user: "rookery@vsphere.local", password: "secret" }
export const guestAccount = { user: "worker", password: "worker" }

/** A machine as the control port shows it, read from the simulator's registry. */
export interface Seen {
  readonly ref: string
  readonly name: string
  readonly uuid: string
  readonly annotation: string
  readonly power: "poweredOn" | "poweredOff" | "suspended"
  readonly connection: string
  readonly template: boolean
  readonly ip: string
  readonly addresses: ReadonlyArray<ReadonlyArray<string>>
  readonly ready: boolean
  readonly customization: string
  readonly cpus: number
  readonly memory_mb: number
  /** Of the first disk. */
  readonly disk_gb: number
  readonly change_version: string
  /** Guest processes that run. */
  readonly processes: number
}

export interface Counter {
  readonly count: number
  readonly faults: number
  /** Accepted, and failed late because a rule said so. */
  readonly failed: number
  readonly bytes_in: number
  readonly bytes_out: number
}

export interface Vcenter {
  readonly url: string
  /** The certificate and its thumbprints, with `-tls`. */
  readonly tls: { readonly pem: string; readonly sha1: string; readonly sha256: string } | undefined
  readonly process: Process.Running
  /** An order to the control port; its README lists them. */
  readonly order: (
    method: "GET" | "POST" | "DELETE",
    path: string,
    body?: unknown
  ) => Effect.Effect<unknown, HarnessError>
  readonly inventory: Effect.Effect<ReadonlyArray<Seen>, HarnessError>
  /** By SOAP method. */
  readonly counters: Effect.Effect<Readonly<Record<string, Counter>>, HarnessError>
  /** Looks every 50 ms until a machine satisfies the condition. */
  readonly until: (
    holds: (machine: Seen) => boolean,
    what: string,
    withinMs?: number
  ) => Effect.Effect<Seen, HarnessError>
}

/** Answers the program's path. */
export const build: Effect.Effect<string, HarnessError> = Go.build(folder, "vcenter")

/** Builds the program where needed and starts it with these flags. It ends with the scope, its guests' processes and files with it. */
export const start = (flags: ReadonlyArray<string> = []): Effect.Effect<Vcenter, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const binary = yield* build
    const scratch = yield* Effect.acquireRelease(
      Effect.promise(() => mkdtemp(join(tmpdir(), "rookery-vcenter-"))),
      (path) => Effect.promise(() => rm(path, { recursive: true, force: true }))
    )
    const process = yield* Process.start({
      command: binary,
      args: ["-die-with-parent", ...flags],
      env: { TMPDIR: scratch }
    })
    const ready = JSON.parse(yield* process.line(/^\{"url"/)) as {
      readonly url: string
      readonly control: string
      readonly pem?: string
      readonly sha1?: string
      readonly sha256?: string
    }
    const { url, control, pem, sha1, sha256 } = ready
    const order: Vcenter["order"] = (method, path, body) => {
      const asked = explained(process)(ask(method, control + path, body))
      return method === "GET" ? reading(asked) : asked
    }
    const inventory = order("GET", "/inventory") as Vcenter["inventory"]
    return {
      url,
      tls: pem === undefined || sha1 === undefined || sha256 === undefined ? undefined : { pem, sha1, sha256 },
      process,
      order,
      inventory,
      counters: order("GET", "/counters") as Vcenter["counters"],
      until: (holds, what, withinMs = 30_000) => until(inventory, holds, what, withinMs)
    }
  })

const ask = (method: string, url: string, body: unknown): Effect.Effect<unknown, HarnessError> =>
  Effect.tryPromise({
    try: async (signal) => {
      const response = await fetch(url, {
        method,
        signal,
        ...(body === undefined ? {} : { body: JSON.stringify(body) })
      })
      const text = await response.text()
      if (!response.ok) throw new Error(text)
      return JSON.parse(text) as unknown
    },
    // Without the key of the control port.
    catch: (cause) => failure(`${method} /${new URL(url).pathname.split("/").slice(2).join("/")}`, cause)
  })

const until = (
  inventory: Vcenter["inventory"],
  holds: (machine: Seen) => boolean,
  what: string,
  withinMs: number
): Effect.Effect<Seen, HarnessError> =>
  Effect.gen(function* () {
    while (true) {
      const found = (yield* inventory).find(holds)
      if (found !== undefined) return found
      yield* Effect.sleep(50)
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: withinMs,
      orElse: () => Effect.fail(new HarnessError({ message: `no machine is ${what} within ${withinMs} ms` }))
    })
  )
