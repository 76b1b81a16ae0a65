/** What may be done inside a machine's guest, through VMware Tools. */
import { Context } from "effect"
import type { Effect, Redacted } from "effect"
import type { GuestError, GuestNotReady } from "../schema/Errors.ts"
import type { MachineRef } from "../schema/Machine.ts"

export interface GuestLogin {
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

export interface GuestProgram {
  /** POSIX shell text; run by `/bin/sh -c`. Values go through `env`, never into the text. */
  readonly script: string
  readonly env: Readonly<Record<string, Redacted.Redacted<string>>>
}

export interface GuestProcess {
  readonly pid: number
  readonly commandLine: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number | undefined
  /** Undefined while it runs. Kept by Tools about five minutes after the end. */
  readonly exitCode: number | undefined
}

export class Guest extends Context.Service<
  Guest,
  {
    /**
     * Waits in stages (seed 001 section 9.1): customization not pending or failed and guest operations ready (3 minutes), the expected
     * address on the first card, or any IPv4 there when none is expected (3 minutes), then an `env` probe accepted (1 minute). Without
     * `login` the probe is left out (a pool machine's first boot).
     */
    readonly ready: (
      ref: MachineRef,
      expectedIp: string | undefined,
      login: GuestLogin | undefined
    ) => Effect.Effect<void, GuestNotReady>
    /** Starts a program and answers its pid. Never sent twice by itself. */
    readonly start: (ref: MachineRef, login: GuestLogin, program: GuestProgram) => Effect.Effect<number, GuestError>
    /** The processes of that pid, or all where undefined. */
    readonly processes: (
      ref: MachineRef,
      login: GuestLogin,
      pid: number | undefined
    ) => Effect.Effect<ReadonlyArray<GuestProcess>, GuestError>
    /** The last `maxBytes` of a guest file as text, without credentials that it may hold. */
    readonly tail: (
      ref: MachineRef,
      login: GuestLogin,
      path: string,
      maxBytes: number
    ) => Effect.Effect<string, GuestError>
  }
>()("rookery/services/Guest") {}
