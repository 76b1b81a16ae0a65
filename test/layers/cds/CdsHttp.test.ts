import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import { TestClock } from "effect/testing"
import type { CdsError } from "../../../src/schema/Errors.ts"
import { Cds } from "../../../src/services/Cds.ts"
import { api, ok, withSignin } from "./api.ts"
import type { Reply } from "./api.ts"

const failure = (status: number, id: number): Reply => ({ status, body: { id, message: `message ${id}` } })

/** The error of a call whose every attempt is answered so, with the attempts' times. */
const errorOf = (reply: Reply) => {
  const world = api(withSignin(() => reply))
  return Effect.gen(function* () {
    const cds = yield* Cds
    yield* cds.signin
    const fiber = yield* Effect.forkChild(Effect.flip(cds.workers))
    yield* TestClock.adjust("5 minutes")
    const error: CdsError = yield* Fiber.join(fiber)
    return { error, at: world.calls("/v2/worker").map((one) => one.at), trouble: yield* cds.trouble }
  }).pipe(Effect.provide(world.layer))
}

describe("a call", () => {
  it.effect("is tried three times, 250 ms apart, when the connection breaks", () =>
    Effect.gen(function* () {
      const { error, at, trouble } = yield* errorOf("cut")
      assert.deepStrictEqual(at, [0, 250, 500])
      assert.strictEqual(error.kind, "unreachable")
      assert.strictEqual(error.message, "read ECONNRESET")
      assert.strictEqual(trouble, "V2 api: workers: read ECONNRESET")
    })
  )

  it.effect("has ten seconds for each attempt", () =>
    Effect.gen(function* () {
      const { error, at } = yield* errorOf("silence")
      assert.deepStrictEqual(at, [0, 10_250, 20_500])
      assert.strictEqual(error.kind, "unreachable")
      assert.match(error.message, /no answer within 10000 ms/)
    })
  )

  it.effect("is tried three times on 409 and keeps CDS's error", () =>
    Effect.gen(function* () {
      const { error, at } = yield* errorOf(failure(409, 147))
      assert.lengthOf(at, 3)
      assert.deepInclude(error, { kind: "refused", status: 409, id: 147 })
    })
  )

  it.effect("is tried three times on 500 and 503 and keeps CDS's error id", () =>
    Effect.gen(function* () {
      for (const [status, id] of [
        [500, 1],
        [503, 60]
      ] as const) {
        const { error, at } = yield* errorOf(failure(status, id))
        assert.lengthOf(at, 3)
        assert.deepInclude(error, { kind: "unreachable", status, id })
        assert.include(error.message, `message ${id}`)
      }
    })
  )

  it.effect("is tried once when CDS says no", () =>
    Effect.gen(function* () {
      for (const [reply, kind] of [
        [failure(403, 11), "refused"],
        [failure(400, 149), "refused"],
        [failure(404, 38), "notFound"]
      ] as const) {
        const { error, at, trouble } = yield* errorOf(reply)
        assert.lengthOf(at, 1)
        assert.strictEqual(error.kind, kind)
        assert.isUndefined(trouble)
      }
    })
  )

  it.effect("trusts the error's id, not the HTTP status", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* errorOf(failure(410, 38))).error.kind, "notFound")
      assert.strictEqual((yield* errorOf(failure(404, 149))).error.kind, "refused")
    })
  )

  it.effect("does not take a 404 that is not CDS's own for an unknown job", () =>
    Effect.gen(function* () {
      const { error, at, trouble } = yield* errorOf({ status: 404, body: "<html>nginx</html>" })
      assert.lengthOf(at, 1)
      assert.strictEqual(error.kind, "malformed")
      assert.strictEqual(error.message, "HTTP 404")
      assert.isDefined(trouble)
      assert.strictEqual((yield* errorOf(failure(404, 0))).error.kind, "malformed")
    })
  )

  it.effect("does not take a redirection for success", () =>
    Effect.gen(function* () {
      const { error, at } = yield* errorOf({ status: 302, headers: { location: "https://cds.test/" } })
      assert.lengthOf(at, 1)
      assert.deepInclude(error, { kind: "malformed", status: 302 })
    })
  )

  it.effect("is malformed when the answer is not the protocol's", () =>
    Effect.gen(function* () {
      for (const body of ["<html>", "7", [{ id: 3 }], [{ id: "a", name: "b", status: "Sleeping" }]]) {
        assert.strictEqual((yield* errorOf(ok(body))).error.kind, "malformed")
      }
    })
  )

  it.effect("does not double the slash between the API's address and the path", () => {
    const world = api(withSignin(() => ok([])))
    return Effect.gen(function* () {
      yield* Cds.use((cds) => cds.workers)
      assert.deepStrictEqual(
        world.seen.map(({ path }) => path),
        ["/v2/auth/consumer/hatchery/signin", "/v2/worker"]
      )
      assert.strictEqual(world.seen[1]?.headers["content-type"], "application/json")
      assert.isUndefined(world.seen[1]?.body)
    }).pipe(Effect.provide(world.layer))
  })
})
