/**
 * Every failure that crosses a room of the house, as a tagged error. Failures that a caller can act on differently have
 * different tags or a `kind`; a message is for people and is never compared.
 */
import { Data } from "effect"
import type { MachineFacts } from "./Machine.ts"

/** A fault that vCenter itself answered: `fault` is its vSphere type name, e.g. `NotAuthenticated`, `DuplicateName`. */
export class VimFault extends Data.TaggedError("VimFault")<{
  readonly operation: string
  readonly fault: string
  readonly message: string
}> {}

/**
 * No answer from vCenter: refused, cut, timed out, not SOAP, TLS refused. Whether the operation took place is unknown, unless
 * `sent` is false: then nothing reached the server.
 */
export class VimUnreachable extends Data.TaggedError("VimUnreachable")<{
  readonly operation: string
  readonly reason: string
  readonly sent: boolean
  /** The configuration key without whose change this will never work (a certificate that is not trusted); told to whoever starts us. */
  readonly setting?: string
}> {}

/** An answer of vCenter that does not have the shape that its API documents. */
export class VimMalformed extends Data.TaggedError("VimMalformed")<{
  readonly operation: string
  readonly reason: string
}> {}

export type VimError = VimFault | VimUnreachable | VimMalformed

/**
 * What a failed vSphere action means to its caller (vsphere-behaviour 17.9):
 *
 * - `busy`: vCenter refuses for now (task in progress, resources, host disconnected); the same call later may pass;
 * - `unreachable`: nothing was sent, or nothing that changes anything; try again later;
 * - `unknown`: it was sent and the outcome is not known; look before doing anything again;
 * - `gone`: the machine (or template) is not there;
 * - `duplicate`: the name or uuid exists already;
 * - `denied`: the account may not do it, or could not log in;
 * - `invalid`: it will fail the same way each time.
 */
export type VSphereErrorKind = "busy" | "unreachable" | "unknown" | "gone" | "duplicate" | "denied" | "invalid"

export class VSphereError extends Data.TaggedError("VSphereError")<{
  readonly operation: string
  readonly kind: VSphereErrorKind
  /** The vSphere fault type where there was one, e.g. `InvalidPowerState`. */
  readonly fault?: string
  readonly message: string
}> {}

/** A guarded reconfigure lost: the machine is no longer the one that was decided upon (other generation, owner, or name). `facts`: what it is now. */
export class Conceded extends Data.TaggedError("Conceded")<{
  readonly machine: string
  readonly reason: string
  readonly facts: MachineFacts
}> {}

/** The guest did not become ready: `stage` says how far it came. */
export class GuestNotReady extends Data.TaggedError("GuestNotReady")<{
  readonly machine: string
  readonly stage: "customization" | "operations" | "address" | "probe"
  readonly reason: string
}> {}

/** A guest operation failed; `kind` as in VSphereErrorKind, with `login` for refused guest credentials. */
export class GuestError extends Data.TaggedError("GuestError")<{
  readonly machine: string
  readonly operation: string
  readonly kind: "busy" | "unreachable" | "unknown" | "gone" | "login" | "invalid"
  readonly message: string
}> {}

/**
 * A call to the CDS API that did not do what was asked:
 *
 * - `unreachable`: no usable answer (transport, timeout, 5xx after retries); for a write, whether it took place is unknown;
 * - `refused`: CDS said no and will say no again (4xx other than the ones below);
 * - `notFound`: unknown job, or taken by somebody else, or locked by a concurrent take (CDS answers 404 to all three);
 * - `unauthenticated`: the session is not accepted and could not be renewed;
 * - `malformed`: an answer that is not what the protocol says.
 */
export class CdsError extends Data.TaggedError("CdsError")<{
  readonly call: string
  readonly kind: "unreachable" | "refused" | "notFound" | "unauthenticated" | "malformed"
  readonly status?: number
  /** The CDS error id (cds-contract 0.3). */
  readonly id?: number
  readonly message: string
}> {}

/** No address of the ranges is free. */
export class IpExhausted extends Data.TaggedError("IpExhausted")<{
  readonly total: number
  readonly reason: string
}> {
  override get message() {
    return this.reason
  }
}

/** A limit of ours would be passed. `reason` names the setting and the numbers. */
export class NoCapacity extends Data.TaggedError("NoCapacity")<{
  readonly limit: "maxWorker" | "maxConcurrentProvisioning" | "maxCpus" | "maxMemoryMB" | "resourcePool" | "inventory"
  readonly reason: string
}> {}

/** One thing that is wrong with the configuration: where, what was found, which rule it breaks and what to do. */
export interface ConfigProblem {
  /** Dotted path with the keys as the reference spells them, e.g. `hatchery.vsphere.iprange`. */
  readonly path: string
  /** The offending value as text; secrets are shown as `<redacted>`. */
  readonly value: string
  readonly rule: string
}

/** The configuration cannot be used. All problems at once, a line each. Ends the program with exit code 2. */
export class ConfigInvalid extends Data.TaggedError("ConfigInvalid")<{
  readonly problems: ReadonlyArray<ConfigProblem>
}> {
  override get message() {
    return this.problems.map((p) => `${p.path} = ${p.value}: ${p.rule}`).join("\n")
  }
}
