/**
 * The one vCenter session of this process, over whichever `Vim` transport is provided.
 *
 * - The first call logs in; calls that come meanwhile wait for that one login and share its outcome.
 * - A call refused with `NotAuthenticated` did nothing: the session is ended and renewed once, and the call sent once more.
 * - `InvalidLogin` freezes the session. vCenter locks an account after about five failed logins, so no other is tried until `reset`.
 * - After `logout` nothing is sent any more until `reset`: whoever still polls cannot open a session that nobody would end.
 *
 * The session is not ended with the layer's scope: `logout` does that, so that a stop that must be quick can leave it out.
 */
import { Context, Deferred, Duration, Effect, Layer, Redacted, Schema } from "effect"
import type { Scope } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import { VimFault, VimMalformed, VimUnreachable } from "../../schema/Errors.ts"
import { scrub } from "../scrub.ts"
import type { ManagedObjectRef } from "./ServiceContent.ts"
import { ServiceContent, serviceInstance } from "./ServiceContent.ts"
import type { VimOperation, WireValue } from "./Vim.ts"
import { Vim } from "./Vim.ts"

export interface VimCredentials {
  readonly user: string
  readonly password: Redacted.Redacted<string>
  /** Language of vCenter's messages, e.g. `en`. */
  readonly locale: string
}

type Args = { readonly [key: string]: WireValue }

export interface CallOptions {
  /** How long to wait for the answer: 15 seconds unless given, 45 for WaitForUpdatesEx. */
  readonly deadline?: Duration.Input
}

const deadlineOf = (operation: VimOperation): Duration.Input =>
  operation === "WaitForUpdatesEx" ? "45 seconds" : "15 seconds"

export class VimSession extends Context.Service<
  VimSession,
  {
    /**
     * Sends one operation within the session, in a span `Vim.<operation>`. Past the deadline it fails with VimUnreachable and
     * `sent: true`: whether the operation took place is then unknown.
     */
    readonly call: (operation: VimOperation, args: Args, options?: CallOptions) => Effect.Effect<unknown, VimError>
    /** Reads a guest file (see `Vim.download`) within the deadline, 15 seconds unless given. */
    readonly download: (url: string, maxBytes: number, options?: CallOptions) => Effect.Effect<Uint8Array, VimError>
    /** The managers of the vCenter that the session is with; logs in where that was not done yet. */
    readonly content: Effect.Effect<ServiceContent, VimError>
    /** Reason of the last failed contact or login, undefined while contact is good. */
    readonly trouble: Effect.Effect<string | undefined>
    /** Lets a session that is frozen or logged out try to log in again, e.g. when the credentials have been changed. */
    readonly reset: Effect.Effect<void>
    /**
     * Ends the session where there is one, also one whose login is on its way. From then on each call fails with VimUnreachable and
     * `sent: false`. Never fails; waits 5 seconds at most.
     */
    readonly logout: Effect.Effect<void>
  }
>()("rookery/layers/vsphere/VimSession") {
  static readonly layer = (credentials: VimCredentials): Layer.Layer<VimSession, never, Vim> =>
    Layer.effect(VimSession, make(credentials))
}

/** Only its identity matters beside the content: a call that was refused ends the session that it was sent in, not a newer one. */
interface Session {
  readonly content: ServiceContent
  readonly manager: ManagedObjectRef
}

/** Less than a stop has for its end (`closingMs` of the start command). */
const logoutDeadline = Duration.seconds(8)

const left = (why: string) => Effect.logWarning(`the session at vCenter is left to end by itself: ${why}`)

const make = (credentials: VimCredentials): Effect.Effect<VimSession["Service"], never, Vim | Scope.Scope> =>
  Effect.gen(function* () {
    const vim = yield* Vim
    const scope = yield* Effect.scope
    let session: Session | undefined
    /** A session that vCenter refused a call in. It may live on: a login within it would be refused, as if the password were wrong. */
    let refused: Session | undefined
    let login: Deferred.Deferred<Session, VimError> | undefined
    /** Why no login is tried until `reset`. */
    let frozen: VimError | undefined
    let trouble: string | undefined

    const send = (operation: VimOperation, args: Args, deadline: Duration.Input = deadlineOf(operation)) =>
      vim.call(operation, args).pipe(
        within(operation, deadline),
        Effect.mapError(withoutSecrets(args)),
        Effect.tap(() => Effect.sync(() => (trouble = undefined))),
        Effect.tapError((error) => Effect.sync(() => (trouble = error._tag === "VimFault" ? undefined : error.reason))),
        Effect.withSpan(`Vim.${operation}`, { attributes: { "vim.operation": operation, ...targetOf(args) } })
      )

    const end = ({ manager }: Session) => send("Logout", { _this: manager })

    const establish = Effect.gen(function* () {
      const answer = yield* send("RetrieveServiceContent", { _this: serviceInstance })
      const content = yield* Schema.decodeUnknownEffect(ServiceContent)(answer).pipe(
        Effect.mapError((error) => new VimMalformed({ operation: "RetrieveServiceContent", reason: error.message }))
      )
      const manager = content.sessionManager
      if (manager === undefined)
        return yield* new VimMalformed({ operation: "RetrieveServiceContent", reason: "no sessionManager" })
      if (refused !== undefined) yield* Effect.ignore(end(refused))
      refused = undefined
      yield* send("Login", {
        _this: manager,
        userName: credentials.user,
        password: Redacted.value(credentials.password),
        locale: credentials.locale
      })
      const established = { content, manager }
      if (frozen !== undefined) return yield* Effect.andThen(Effect.ignore(end(established)), Effect.fail(frozen))
      return (session = established)
    }).pipe(
      Effect.mapError((error) =>
        error._tag === "VimFault" && error.fault === "InvalidLogin" ? (frozen = refusedLogin(error)) : error
      ),
      Effect.tapError((error) => Effect.sync(() => (trouble = describe(error))))
    )

    /** The session, established by one fiber of the layer for all who wait: who gives up waiting does not take it from the others. */
    const current: Effect.Effect<Session, VimError> = Effect.suspend(() => {
      if (session !== undefined) return Effect.succeed(session)
      if (frozen !== undefined) return Effect.fail(frozen)
      if (login !== undefined) return Deferred.await(login)
      const pending = (login = Deferred.makeUnsafe<Session, VimError>())
      return establish.pipe(
        Effect.onExit((exit) =>
          Effect.suspend(() => {
            login = undefined
            return Deferred.done(pending, exit)
          })
        ),
        Effect.forkIn(scope),
        Effect.andThen(Deferred.await(pending))
      )
    })

    const inSession = <A>(use: Effect.Effect<A, VimError>): Effect.Effect<A, VimError> =>
      Effect.flatMap(current, (used) =>
        Effect.catchIf(use, isNotAuthenticated, () => {
          if (session === used) {
            session = undefined
            refused = used
          }
          return Effect.andThen(current, use)
        })
      )

    return VimSession.of({
      call: (operation, args, options) => inSession(send(operation, args, options?.deadline)),
      download: (url, maxBytes, options) =>
        inSession(
          vim
            .download(url, maxBytes)
            .pipe(within("download", options?.deadline ?? "15 seconds"), Effect.withSpan("Vim.download"))
        ),
      content: Effect.map(current, ({ content }) => content),
      trouble: Effect.sync(() => trouble),
      reset: Effect.sync(() => (frozen = undefined)),
      logout: Effect.suspend(() => {
        const ending = session
        session = undefined
        frozen = loggedOut()
        if (ending !== undefined) return Effect.catch(end(ending), (error) => left(describe(error)))
        return login === undefined ? Effect.void : Effect.ignore(Deferred.await(login))
      }).pipe(
        Effect.timeoutOrElse({ duration: logoutDeadline, orElse: () => left("the logout has no answer") }),
        Effect.asVoid
      )
    })
  })

const field = (value: WireValue, key: string): WireValue =>
  typeof value === "object" && !Array.isArray(value) && key in value ? (value as Args)[key] : undefined

/** What must not be seen of a call: the password of a login, the guest's, and the environment of a guest's program. */
const secretsOf = (args: Args): ReadonlyArray<string> => {
  const variables = field(args["spec"], "envVariables")
  const passwords = [args["password"], field(args["auth"], "password")]
  const values = Array.isArray(variables) ? variables.map((one) => String(one).replace(/^[^=]*=/, "")) : []
  return [...passwords, ...values].filter((secret) => typeof secret === "string")
}

/** A vCenter may repeat in a fault what it was sent. */
const withoutSecrets =
  (args: Args) =>
  (error: VimFault | VimUnreachable): VimFault | VimUnreachable => {
    const { operation } = error
    return error._tag === "VimFault"
      ? new VimFault({ operation, fault: error.fault, message: scrub(error.message, secretsOf(args)) })
      : error
  }

const within =
  (operation: string, deadline: Duration.Input) =>
  <A, E, R>(self: Effect.Effect<A, E, R>) =>
    Effect.timeoutOrElse(self, {
      duration: deadline,
      orElse: () =>
        new VimUnreachable({
          operation,
          reason: `no answer within ${Duration.format(Duration.fromInputUnsafe(deadline))}`,
          sent: true
        })
    })

const isNotAuthenticated = (error: VimError): boolean => error._tag === "VimFault" && error.fault === "NotAuthenticated"

const refusedLogin = (fault: VimFault) =>
  new VimFault({
    operation: fault.operation,
    fault: fault.fault,
    message:
      `vCenter refused hatchery.vsphere.user with hatchery.vsphere.password (${fault.message}); ` +
      "no further login is tried, because vCenter locks accounts"
  })

const loggedOut = () =>
  new VimUnreachable({ operation: "Login", reason: "logged out of vCenter: nothing is sent any more", sent: false })

const describe = (error: VimError): string => (error._tag === "VimFault" ? error.message : error.reason)

/** The managed object that is called, for the span. */
const targetOf = (args: Args): Record<string, string> => {
  const target = args["_this"]
  return typeof target === "object" && "value" in target && typeof target.value === "string"
    ? { "vim.target": target.value }
    : {}
}
