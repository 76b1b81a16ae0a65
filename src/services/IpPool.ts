/** The addresses of the configured ranges. A lease belongs to a machine and ends only when that machine is proven gone. */
import { Context } from "effect"
import type { Effect } from "effect"
import type { IpExhausted } from "../schema/Errors.ts"
import type { MachineFacts, MachineId, MachineRef } from "../schema/Machine.ts"
import type { Addressing } from "./VSphere.ts"

/** Addresses of the ranges (vsphere-behaviour 12). */
export interface IpCount {
  readonly total: number
  /** By machines of this hatchery. */
  readonly leased: number
  /** Leased, or in the annotation or name of anybody's machine. */
  readonly reserved: number
  /** On the network card of anybody's guest. */
  readonly active: number
  /** Reserved or active. */
  readonly used: number
}

export class IpPool extends Context.Service<
  IpPool,
  {
    /** The first free address in configured order, atomically; DHCP when no range is configured. Idempotent per machine. */
    readonly lease: (machine: MachineId) => Effect.Effect<Addressing, IpExhausted>
    /** Takes over the address that an adopted machine's annotation names. */
    readonly adopt: (machine: MachineId, ip: string) => Effect.Effect<void>
    readonly release: (machine: MachineId) => Effect.Effect<void>
    /** Keeps account of addresses that machines of others hold (annotation and guest network). */
    readonly observe: (facts: MachineFacts) => Effect.Effect<void>
    readonly forget: (facts: MachineFacts) => Effect.Effect<void>
    /** The machines that show the address, ours among them: in their annotation or name, or on their guest's network cards. */
    readonly holders: (ip: string) => Effect.Effect<ReadonlyArray<MachineRef>>
    readonly count: Effect.Effect<IpCount>
  }
>()("rookery/services/IpPool") {}
