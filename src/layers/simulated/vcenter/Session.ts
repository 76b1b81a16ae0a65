/**
 * Sessions, and what belongs to one: its property collectors, views and half-read pages. An account is locked for five minutes after five
 * wrong passwords, as vCenter's single sign-on does it.
 */
import type { WireValue } from "../../vsphere/Vim.ts"
import type { Core } from "./Core.ts"
import type { Collector } from "./PropertyCollector.ts"
import { makeCollector } from "./PropertyCollector.ts"
import { notFound } from "./ObjectStore.ts"
import { Fault, dateTime, refuse } from "./Wire.ts"
import type { Ref, WireObject } from "./Wire.ts"

export interface Session {
  readonly cookie: string
  readonly user: string
  readonly loggedInAt: number
  readonly collectors: Map<string, Collector>
  readonly views: Set<Ref>
  /** Objects still to be fetched by ContinueRetrievePropertiesEx, by token. */
  readonly pages: Map<string, ReadonlyArray<WireValue>>
}

export interface Sessions {
  /** Refuses with NotAuthenticated. */
  readonly get: (cookie: string | undefined) => Session
  /** Refuses with InvalidLogin. */
  readonly login: (user: string, password: string) => Session
  readonly end: (session: Session) => void
  readonly endAll: () => void
  readonly count: () => number
  readonly all: () => Iterable<Session>
  /** Failed logins so far, refusals of a locked account included. */
  readonly failures: () => number
}

export const defaultCollector: Ref = { type: "PropertyCollector", value: "propertyCollector" }

const maxFailures = 5
const lockedMs = 5 * 60_000

const notAuthenticated = () => new Fault({ fault: "NotAuthenticated", message: "The session is not authenticated." })

export const makeSessions = (core: Core): Sessions => {
  const sessions = new Map<string, Session>()
  let failures = 0
  let inRow = 0
  let lockedUntil = 0

  const isLocked = (): boolean => {
    if (inRow < maxFailures) return false
    if (core.now() < lockedUntil) return true
    inRow = 0
    return false
  }

  const fail = (): never => {
    failures += 1
    inRow += 1
    if (inRow === maxFailures) lockedUntil = core.now() + lockedMs
    return refuse("InvalidLogin", "Cannot complete login due to an incorrect user name or password.")
  }

  const end = (session: Session) => {
    sessions.delete(session.cookie)
    for (const collector of session.collectors.values()) collector.destroy(notAuthenticated())
    for (const view of session.views) core.views.destroy(view)
  }

  return {
    get: (cookie) => {
      const session = cookie === undefined ? undefined : sessions.get(cookie)
      if (session === undefined) throw notAuthenticated()
      return session
    },
    login: (user, password) => {
      const accepted = user === core.options.user && password === core.options.password
      if (isLocked() || !accepted) return fail()
      inRow = 0
      const session: Session = {
        cookie: core.uuid(),
        user,
        loggedInAt: core.now(),
        collectors: new Map(),
        views: new Set(),
        pages: new Map()
      }
      session.collectors.set(defaultCollector.value, makeCollector(core, defaultCollector))
      sessions.set(session.cookie, session)
      return session
    },
    end,
    endAll: () => {
      for (const session of sessions.values()) end(session)
    },
    count: () => sessions.size,
    all: () => sessions.values(),
    failures: () => failures
  }
}

/** `UserSession`, the answer to a login. */
export const userSession = (core: Core, session: Session): WireObject => ({
  key: session.cookie,
  userName: session.user,
  fullName: session.user,
  loginTime: dateTime(session.loggedInAt),
  lastActiveTime: dateTime(core.now()),
  locale: "en",
  messageLocale: "en",
  extensionSession: false,
  ipAddress: "127.0.0.1",
  userAgent: "",
  callCount: 0
})

/** The session's collector of that reference. Refuses with ManagedObjectNotFound. */
export const collectorOf = (session: Session, ref: Ref): Collector => session.collectors.get(ref.value) ?? notFound(ref)
