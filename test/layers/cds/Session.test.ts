import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import { Cds } from "../../../src/services/Cds.ts"
import { api, late, ok, sessionToken, signedIn, signinPath, unauthorized, withSignin } from "./api.ts"

const workers = Cds.use((cds) => cds.workers)
/** Fifty at once, while the clock moves. */
const fifty = <A, E>(self: Effect.Effect<A, E>) =>
  Effect.gen(function* () {
    const all = Effect.all(
      Array.from({ length: 50 }, () => self),
      { concurrency: "unbounded" }
    )
    const fiber = yield* Effect.forkChild(all)
    yield* TestClock.adjust("10 seconds")
    return yield* Fiber.join(fiber)
  })

describe("the session", () => {
  it.effect("goes with each call as a bearer token", () => {
    const world = api(withSignin(() => ok(null)))
    return Effect.gen(function* () {
      yield* workers
      yield* workers
      assert.lengthOf(world.signins(), 1)
      assert.strictEqual(world.seen[2]?.headers["authorization"], `Bearer ${sessionToken(0)}`)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is renewed by one of fifty callers, the others wait for it", () => {
    const world = api((seen) => (seen.path === signinPath ? late(signedIn(seen.at)) : ok(null)))
    return Effect.gen(function* () {
      yield* fifty((yield* Cds).workers)
      assert.lengthOf(world.signins(), 1)
      assert.lengthOf(world.calls("/v2/worker"), 50)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("shares a failed signin among all who waited for it", () => {
    const world = api(() => late({ status: 403, body: { id: 11, message: "forbidden" } }))
    return Effect.gen(function* () {
      const cds = yield* Cds
      const errors = yield* fifty(Effect.flip(cds.workers))
      assert.lengthOf(world.signins(), 1)
      assert.isTrue(errors.every(({ kind }) => kind === "unauthenticated"))
      assert.match((yield* cds.trouble) ?? "", /api\.tokenV2/)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("lets another caller sign in when the first one is interrupted", () =>
    Effect.gen(function* () {
      const world = api((seen, all) => {
        if (seen.path !== signinPath) return ok(null)
        return all.length === 1 ? "silence" : signedIn(seen.at)
      })
      yield* Effect.gen(function* () {
        const cds = yield* Cds
        const first = yield* Effect.forkChild(cds.workers)
        const second = yield* Effect.forkChild(cds.workers)
        yield* TestClock.adjust("1 second")
        yield* Fiber.interrupt(first)
        assert.deepStrictEqual(yield* Fiber.join(second), [])
      }).pipe(Effect.provide(world.layer))
    })
  )

  it.effect("is renewed before its hour is over, with the whole signin body", () => {
    const world = api(withSignin(() => ok(null)))
    return Effect.gen(function* () {
      yield* workers
      yield* TestClock.adjust("58 minutes")
      yield* workers
      assert.lengthOf(world.signins(), 1)
      yield* TestClock.adjust("90 seconds")
      yield* workers
      assert.lengthOf(world.signins(), 2)
      assert.deepStrictEqual(world.signins()[1]?.body, world.signins()[0]?.body)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("lives its whole life although CDS's clock is an hour and a half ahead or behind", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(10 * 3600_000)
      for (const skew of [5400_000, -5400_000]) {
        const world = api((seen) => (seen.path === signinPath ? signedIn(seen.at + skew) : ok(null)))
        yield* Effect.gen(function* () {
          yield* workers
          yield* TestClock.adjust("50 minutes")
          yield* workers
          assert.lengthOf(world.signins(), 1)
          yield* TestClock.adjust("10 minutes")
          yield* workers
          assert.lengthOf(world.signins(), 2)
        }).pipe(Effect.provide(world.layer))
      }
    })
  )

  it.effect("is dropped on 401, renewed, and the call made once more", () => {
    let revoked = false
    const world = api((seen) => {
      if (seen.path === signinPath) {
        revoked = false
        return signedIn(seen.at)
      }
      return revoked ? unauthorized : ok(null)
    })
    return Effect.gen(function* () {
      yield* workers
      revoked = true
      assert.deepStrictEqual(yield* workers, [])
      assert.lengthOf(world.signins(), 2)
      assert.lengthOf(world.calls("/v2/worker"), 3)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is not renewed a second time for one call", () => {
    const world = api(withSignin(() => unauthorized))
    return Effect.gen(function* () {
      const error = yield* Effect.flip(workers)
      assert.strictEqual(error.kind, "unauthenticated")
      assert.strictEqual(error.status, 401)
      assert.lengthOf(world.signins(), 2)
      assert.lengthOf(world.calls("/v2/worker"), 2)
    }).pipe(Effect.provide(world.layer))
  })

  it.effect("is renewed once when many calls are refused together", () => {
    let signins = 0
    const world = api((seen) => {
      if (seen.path === signinPath) return signedIn(seen.at, 3600 + signins++)
      const first = seen.headers["authorization"] === `Bearer ${sessionToken(0)}`
      return late(first ? unauthorized : ok(null))
    })
    return Effect.gen(function* () {
      const cds = yield* Cds
      yield* cds.signin
      yield* fifty(cds.workers)
      assert.lengthOf(world.signins(), 2)
      assert.lengthOf(world.calls("/v2/worker"), 100)
    }).pipe(Effect.provide(world.layer))
  })
})
