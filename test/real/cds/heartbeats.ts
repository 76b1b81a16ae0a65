/** What CDS knows of a hatchery that lives: its heartbeats, what it says of itself, its sessions. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { readFileSync } from "node:fs"
import { resolve } from "node:path"
import { HarnessError } from "../harness/HarnessError.ts"
import type { RealCds, Service } from "./RealCds.ts"
import * as RealStand from "./RealStand.ts"

const minutes = (count: number) => count * 60_000

const { version } = JSON.parse(readFileSync(resolve(import.meta.dirname, "../../../package.json"), "utf8")) as {
  readonly version: string
}

interface Sight {
  /** Undefined when the API lists no such service. */
  readonly v1: Service | undefined
  readonly v2: { readonly last_heartbeat: string }
}

type Line = NonNullable<Service["monitoring_status"]["lines"]>[number]

const linesOf = ({ v1 }: Sight): ReadonlyArray<Line> => v1?.monitoring_status.lines ?? []

/** How the API shows the hatchery, on both sides. */
const look = (cds: RealCds): Effect.Effect<Sight, HarnessError> =>
  Effect.all({
    v1: Effect.map(cds.services, (all) => all.find(({ name }) => name === cds.hatchery)),
    v2: cds.api.ask<Sight["v2"]>("GET", `/v2/hatchery/${cds.hatchery}`)
  })

/** A version that is not the API's own is a warning to it. */
const isWell = ({ status, component }: Line): boolean => status === (component === "Version" ? "WARN" : "OK")

/** Waits for a heartbeat that tells nothing bad: the first one of a process goes out before it has read the inventory. */
const well = (cds: RealCds): Effect.Effect<void, HarnessError> =>
  Effect.gen(function* () {
    while (true) {
      const lines = linesOf(yield* look(cds))
      if (lines.length > 0 && lines.every(isWell)) return
      yield* Effect.sleep("1 second")
    }
  }).pipe(
    Effect.timeoutOrElse({
      duration: "2 minutes",
      orElse: () => Effect.fail(new HarnessError({ message: `${cds.hatchery} is not well at the API` }))
    })
  )

/** Looks every five seconds for so long. */
const watched = (cds: RealCds, forMs: number) => {
  const sights: Array<Sight> = []
  const often = Effect.forever(
    Effect.andThen(
      Effect.map(look(cds), (sight) => void sights.push(sight)),
      Effect.sleep("5 seconds")
    )
  )
  return Effect.as(Effect.timeoutOrElse(often, { duration: forMs, orElse: () => Effect.void }), sights)
}

/** In milliseconds, by the API's own clock. */
const longestSilence = (beats: ReadonlyArray<string>): number => {
  const times = beats.map((time) => Date.parse(time))
  return Math.max(...times.slice(1).map((time, index) => time - (times[index] ?? 0)))
}

const valuesOf = (sights: ReadonlyArray<Sight>, component: string): ReadonlyArray<string> => {
  const lines = sights.flatMap(linesOf).filter((line) => line.component === component)
  return [...new Set(lines.map(({ value }) => value))].toSorted()
}

/** The hatchery's, not a worker's. */
const isSignin = (path: string): boolean => /\/consumer\/(builtin|hatchery)\/signin$/.test(path)

/** Each has a hatchery of its own, and disturbs no other. */
export const heartbeats = (started: Effect.Effect<RealCds>): void => {
  it.live(
    "is healthy at the API for ten minutes by its heartbeats alone, which tell version, uptime and workers",
    () =>
      Effect.gen(function* () {
        const stand = yield* RealStand.around(yield* (yield* started).another("alive"))
        const { cds } = stand
        yield* stand.hatchery({ reaperInterval: "5s", times: { heartbeatInterval: "30s" } })
        yield* stand.pool(1, minutes(2))
        yield* well(cds)
        yield* stand.tap.forget
        const job = yield* cds.runV2Job({ script: "sleep 300" })
        const sights = yield* watched(cds, minutes(10))
        yield* RealStand.succeeds(stand, job)
        yield* RealStand.nothingLeft(stand, 1)

        assert.isTrue(sights.every(({ v1 }) => v1 !== undefined))
        assert.deepStrictEqual(
          sights.flatMap(linesOf).filter((line) => !isWell(line)),
          []
        )
        // The API forgets a V1 service, and with it the hatchery's rights, after three minutes of silence.
        const beats = [sights.map(({ v1 }) => v1?.last_heartbeat ?? ""), sights.map(({ v2 }) => v2.last_heartbeat)]
        for (const of of beats) assert.isBelow(longestSilence(of), minutes(3))
        assert.deepStrictEqual(valuesOf(sights, "Version"), [version])
        assert.deepStrictEqual(valuesOf(sights, "Workers"), ["0/10", "1/10"])
        assert.isAtLeast(valuesOf(sights, "Uptime").length, 10)
        assert.deepStrictEqual(
          stand.tap.exchanges.filter(({ path }) => isSignin(path)),
          []
        )
      }).pipe(Effect.scoped),
    minutes(16)
  )

  it.live(
    "signs in again when its sessions are revoked, and the jobs that run or wait are done all the same",
    () =>
      Effect.gen(function* () {
        const stand = yield* RealStand.around(yield* (yield* started).another("revoked"))
        const { cds, tap } = stand
        yield* stand.hatchery()
        yield* stand.pool(1, minutes(2))
        const requirements = [{ model: `${cds.pathOf("debian")}@master` }]
        const running = [
          yield* cds.runV2Job({ script: "sleep 15" }),
          yield* cds.runV1Job({ script: "sleep 15", requirements })
        ]
        for (const job of running) yield* job.until("Building", minutes(3))
        yield* tap.forget
        yield* cds.revokeSessions
        const waiting = [yield* cds.runV2Job({ script: "true" }), yield* cds.runV1Job({ script: "true", requirements })]
        for (const job of [...running, ...waiting]) {
          yield* RealStand.succeeds(stand, job)
          const infos = yield* job.infos
          assert.deepStrictEqual(
            infos.filter((info) => /error|stops working/i.test(info)),
            []
          )
          assert.strictEqual(infos.filter((info) => /is starting the worker|starts spawn worker/.test(info)).length, 1)
        }
        const signins = tap.exchanges.filter(({ path }) => isSignin(path))
        assert.deepStrictEqual(signins.map(({ path, status }) => `${path} ${status}`).toSorted(), [
          "/auth/consumer/builtin/signin 200",
          "/v2/auth/consumer/hatchery/signin 200"
        ])
        yield* RealStand.nothingLeft(stand, 1)
      }).pipe(Effect.scoped),
    minutes(6)
  )
}
