import { assert, describe, it } from "@effect/vitest"
import { Effect, Fiber, Layer, Redacted } from "effect"
import { TestClock } from "effect/testing"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import type { VimOperation } from "../../../src/layers/vsphere/Vim.ts"
import { VimSession } from "../../../src/layers/vsphere/VimSession.ts"
import { VimFault, VimUnreachable } from "../../../src/schema/Errors.ts"

const content = {
  rootFolder: { type: "Folder", value: "group-d1" },
  propertyCollector: { type: "PropertyCollector", value: "propertyCollector" },
  viewManager: { type: "ViewManager", value: "ViewManager" },
  about: {
    name: "VMware vCenter Server",
    fullName: "VMware vCenter Server 8.0.2 build-1",
    version: "8.0.2",
    build: "1",
    apiType: "VirtualCenter",
    apiVersion: "8.0.2.0",
    instanceUuid: "4f9b9a8e-0000-4000-8000-000000000001"
  },
  sessionManager: { type: "SessionManager", value: "SessionManager" }
}

type Answer = Effect.Effect<unknown, VimFault | VimUnreachable>

const fault = (operation: string, name: string) =>
  new VimFault({ operation, fault: name, message: `${name} said the script` })

/** A vCenter that does what the test says for some operations, answers the rest, and keeps account of what it was sent. */
const scripted = (answers: Partial<Record<VimOperation, (nth: number) => Answer>>) => {
  const sent: Array<VimOperation> = []
  const count = (operation: VimOperation) => sent.filter((each) => each === operation).length
  const call = (operation: VimOperation): Answer =>
    Effect.suspend(() => {
      sent.push(operation)
      const answer = answers[operation]
      if (answer !== undefined) return answer(count(operation))
      return Effect.succeed(operation === "RetrieveServiceContent" ? content : undefined)
    }).pipe(Effect.delay("5 millis"))
  const session = VimSession.layer({ user: "ci", password: Redacted.make("pw"), locale: "en" }).pipe(
    Layer.provide(Layer.succeed(Vim, { call, download: () => Effect.succeed(new Uint8Array()) }))
  )
  return { sent, count, session }
}

/** Runs `use` in a fiber and lets the clock go on until it has ended. */
const ended = <A, E, R>(use: Effect.Effect<A, E, R>, time: "1 second" | "1 minute" = "1 second") =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(Effect.exit(use))
    yield* TestClock.adjust(time)
    return yield* Effect.flatten(Fiber.join(fiber))
  })

const clock = VimSession.use((session) => session.call("CurrentTime", { _this: content.rootFolder }))

describe("VimSession", () => {
  it.effect("logs in once for fifty calls that come at the same time", () => {
    const vcenter = scripted({})
    return Effect.gen(function* () {
      yield* ended(
        Effect.all(
          Array.from({ length: 50 }, () => clock),
          { concurrency: "unbounded" }
        )
      )
      assert.strictEqual(vcenter.count("Login"), 1)
      assert.strictEqual(vcenter.count("RetrieveServiceContent"), 1)
      assert.strictEqual(vcenter.count("CurrentTime"), 50)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("logs in once more when the session has ended, and sends the refused calls again", () => {
    const vcenter = scripted({
      CurrentTime: (nth) => (nth <= 50 ? Effect.fail(fault("CurrentTime", "NotAuthenticated")) : Effect.succeed(nth))
    })
    return Effect.gen(function* () {
      const answers = yield* ended(
        Effect.all(
          Array.from({ length: 50 }, () => clock),
          { concurrency: "unbounded" }
        )
      )
      assert.strictEqual(answers.length, 50)
      assert.strictEqual(vcenter.count("Login"), 2)
      assert.strictEqual(vcenter.count("CurrentTime"), 100)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect(
    "ends a session that vCenter refuses before it logs in again, as a login within it would count as a wrong one",
    () => {
      let authenticated = false
      const vcenter = scripted({
        Login: () =>
          authenticated ? Effect.fail(fault("Login", "InvalidLogin")) : Effect.sync(() => (authenticated = true)),
        Logout: () => Effect.sync(() => (authenticated = false)),
        CurrentTime: (nth) => (nth === 1 ? Effect.fail(fault("CurrentTime", "NotAuthenticated")) : Effect.succeed(nth))
      })
      return Effect.gen(function* () {
        assert.strictEqual(yield* ended(clock), 2)
        assert.strictEqual(vcenter.count("Login"), 2)
      }).pipe(Effect.provide(vcenter.session))
    }
  )

  it.effect("does not end the renewed session for a call that was refused in the old one", () => {
    const refused = Effect.fail(fault("CurrentTime", "NotAuthenticated"))
    const vcenter = scripted({
      CurrentTime: (nth) => (nth === 1 ? refused : nth === 2 ? Effect.delay(refused, "500 millis") : Effect.void)
    })
    return Effect.gen(function* () {
      yield* ended(Effect.all([clock, clock], { concurrency: "unbounded" }))
      assert.strictEqual(vcenter.count("CurrentTime"), 4)
      assert.strictEqual(vcenter.count("Login"), 2)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("gives a call back that is refused in the renewed session too", () => {
    const vcenter = scripted({ CurrentTime: () => Effect.fail(fault("CurrentTime", "NotAuthenticated")) })
    return Effect.gen(function* () {
      const error = yield* Effect.flip(ended(clock))
      assert.strictEqual(error._tag === "VimFault" && error.fault, "NotAuthenticated")
      assert.strictEqual(vcenter.count("CurrentTime"), 2)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("tries a wrong password once, names the settings, and goes on only after a reset", () => {
    const vcenter = scripted({
      Login: (nth) => (nth === 1 ? Effect.fail(fault("Login", "InvalidLogin")) : Effect.void)
    })
    return Effect.gen(function* () {
      const session = yield* VimSession
      const first = yield* Effect.flip(ended(Effect.all([clock, clock, clock], { concurrency: "unbounded" })))
      const later = yield* Effect.flip(ended(clock))
      assert.strictEqual(vcenter.count("Login"), 1)
      for (const error of [first, later]) {
        assert.strictEqual(error._tag === "VimFault" && error.fault, "InvalidLogin")
        assert.include(error.message, "hatchery.vsphere.user")
        assert.include(error.message, "hatchery.vsphere.password")
      }
      assert.include(yield* session.trouble, "hatchery.vsphere.password")
      yield* session.reset
      yield* ended(clock)
      assert.strictEqual(vcenter.count("Login"), 2)
      assert.isUndefined(yield* session.trouble)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("shares the failure of a login among those who wait, and tries again for the next call", () => {
    const down = new VimUnreachable({ operation: "Login", reason: "connection refused", sent: false })
    const vcenter = scripted({ Login: (nth) => (nth === 1 ? Effect.fail(down) : Effect.void) })
    return Effect.gen(function* () {
      const session = yield* VimSession
      const exits = yield* ended(
        Effect.all(
          Array.from({ length: 5 }, () => Effect.flip(clock)),
          { concurrency: "unbounded" }
        )
      )
      assert.deepStrictEqual(exits, [down, down, down, down, down])
      assert.strictEqual(yield* session.trouble, "connection refused")
      yield* ended(clock)
      assert.isUndefined(yield* session.trouble)
      assert.strictEqual(vcenter.count("Login"), 2)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("goes on with a login that the caller who began it no longer waits for", () => {
    const vcenter = scripted({ Login: () => Effect.delay(Effect.void, "1 second") })
    return Effect.gen(function* () {
      const impatient = yield* Effect.forkChild(clock)
      const patient = yield* Effect.forkChild(clock)
      yield* TestClock.adjust("100 millis")
      yield* Fiber.interrupt(impatient)
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.join(patient)
      assert.strictEqual(vcenter.count("Login"), 1)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect(
    "gives up after 15 seconds, after 45 for WaitForUpdatesEx, and does not claim that nothing was sent",
    () => {
      const vcenter = scripted({ CurrentTime: () => Effect.never, WaitForUpdatesEx: () => Effect.never })
      return Effect.gen(function* () {
        const session = yield* VimSession
        yield* ended(session.content)
        for (const [operation, before, after] of [
          ["CurrentTime", "14 seconds", "1 second"],
          ["WaitForUpdatesEx", "44 seconds", "1 second"]
        ] as const) {
          const fiber = yield* Effect.forkChild(
            Effect.flip(session.call(operation, { _this: content.propertyCollector }))
          )
          yield* TestClock.adjust(before)
          assert.isUndefined(fiber.pollUnsafe())
          yield* TestClock.adjust(after)
          const error = yield* Fiber.join(fiber)
          assert.isTrue(error._tag === "VimUnreachable" && error.sent)
          assert.include(yield* session.trouble, "no answer")
        }
      }).pipe(Effect.provide(vcenter.session))
    }
  )

  it.effect("refuses a service content that lacks what it needs", () => {
    const vcenter = scripted({ RetrieveServiceContent: () => Effect.succeed({ about: {} }) })
    return Effect.gen(function* () {
      const error = yield* Effect.flip(ended(VimSession.use((session) => session.content)))
      assert.strictEqual(error._tag, "VimMalformed")
      assert.strictEqual(vcenter.count("Login"), 0)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("logs out where it is logged in, whatever vCenter says to it", () => {
    const vcenter = scripted({ Logout: () => Effect.fail(fault("Logout", "NotAuthenticated")) })
    return Effect.gen(function* () {
      const session = yield* VimSession
      yield* ended(session.logout)
      assert.deepStrictEqual(vcenter.sent, [])
      yield* session.reset
      yield* ended(session.content)
      yield* ended(session.logout)
      yield* ended(session.logout)
      assert.strictEqual(vcenter.count("Logout"), 1)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("sends nothing after a logout, not even for a wait that was cut by it, until a reset", () => {
    const cut = Effect.delay(Effect.fail(fault("WaitForUpdatesEx", "NotAuthenticated")), "30 seconds")
    const vcenter = scripted({ WaitForUpdatesEx: () => cut })
    return Effect.gen(function* () {
      const session = yield* VimSession
      yield* ended(session.content)
      const poll = Effect.flip(session.call("WaitForUpdatesEx", { _this: content.propertyCollector }))
      const polling = yield* Effect.forkChild(poll)
      yield* ended(session.logout)
      const { length } = vcenter.sent
      yield* TestClock.adjust("1 minute")
      for (const error of [yield* Fiber.join(polling), yield* poll, yield* Effect.flip(session.content)]) {
        assert.isTrue(error._tag === "VimUnreachable" && !error.sent)
        assert.include(error._tag === "VimUnreachable" ? error.reason : "", "logged out")
      }
      assert.strictEqual(vcenter.sent.length, length)
      yield* session.reset
      yield* ended(clock)
      assert.strictEqual(vcenter.count("Login"), 2)
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("ends a session too whose login was on its way at the logout, and refuses those who waited for it", () => {
    const vcenter = scripted({ Login: () => Effect.delay(Effect.void, "2 seconds") })
    return Effect.gen(function* () {
      const session = yield* VimSession
      const waiting = yield* Effect.forkChild(Effect.flip(clock))
      yield* TestClock.adjust("1 second")
      yield* ended(session.logout, "1 minute")
      assert.strictEqual((yield* Fiber.join(waiting))._tag, "VimUnreachable")
      assert.deepStrictEqual(vcenter.sent, ["RetrieveServiceContent", "Login", "Logout"])
    }).pipe(Effect.provide(vcenter.session))
  })

  it.effect("does not wait longer than 8 seconds for a logout, whether it or a login hangs", () => {
    const vcenter = scripted({ Logout: () => Effect.never, Login: (nth) => (nth === 1 ? Effect.void : Effect.never) })
    return Effect.gen(function* () {
      const session = yield* VimSession
      for (const hanging of ["Logout", "Login"]) {
        yield* session.reset
        yield* Effect.forkChild(Effect.exit(session.content))
        yield* TestClock.adjust("1 second")
        const fiber = yield* Effect.forkChild(session.logout)
        yield* TestClock.adjust("7 seconds")
        assert.isUndefined(fiber.pollUnsafe())
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(fiber)
        assert.strictEqual(vcenter.sent.at(-1), hanging)
      }
    }).pipe(Effect.provide(vcenter.session))
  })
})
