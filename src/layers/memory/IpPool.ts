/** The address pool of one hatchery process. Its truth is rebuilt at start from the machines that are adopted and seen. */
import { Effect, Layer } from "effect"
import { parse } from "../../schema/Annotation.ts"
import { IpExhausted } from "../../schema/Errors.ts"
import type { MachineFacts, MachineId, MachineRef } from "../../schema/Machine.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Settings, type NetworkSettings } from "../../services/Settings.ts"
import type { Addressing } from "../../services/VSphere.ts"
import { IpRanges } from "./IpRanges.ts"

const addressesOf = (facts: MachineFacts): ReadonlyArray<string> => {
  const annotated = parse(facts.annotation)?.ipAddress
  return [...(annotated === undefined ? [] : [annotated]), ...facts.guest.addresses.flat()]
}

export const layer: Layer.Layer<IpPool, never, Settings> = Layer.effect(
  IpPool,
  Effect.gen(function* () {
    const { vsphere } = yield* Settings
    const ranges = new IpRanges(vsphere.networks)
    const leases = new Map<MachineId, string>()
    const owners = new Map<string, MachineId>()
    /** Addresses of the ranges that were seen on machines: on how many, and on which. */
    const seenOn = new Map<MachineRef, ReadonlyArray<string>>()
    const seen = new Map<string, number>()

    const addressing = (ip: string, network: NetworkSettings): Addressing => ({
      _tag: "Static",
      ip,
      subnetMask: network.subnetMask,
      gateway: network.gateway,
      dns: vsphere.dns
    })

    const count = (ips: ReadonlyArray<string>, by: number) => {
      for (const ip of ips) {
        const n = (seen.get(ip) ?? 0) + by
        if (n > 0) seen.set(ip, n)
        else seen.delete(ip)
      }
    }

    const lease = (machine: MachineId): Effect.Effect<Addressing, IpExhausted> =>
      Effect.suspend(() => {
        if (vsphere.networks.length === 0) return Effect.succeed<Addressing>({ _tag: "Dhcp" })
        const held = leases.get(machine)
        const network = held === undefined ? undefined : ranges.networkOf(held)
        if (held !== undefined && network !== undefined) return Effect.succeed(addressing(held, network))
        const free = ranges.firstFree((ip) => owners.has(ip) || seen.has(ip))
        if (free === undefined) {
          const reason = `all ${ranges.total} addresses of hatchery.vsphere.iprange are in use (${leases.size} by machines of this hatchery)`
          return Effect.fail(new IpExhausted({ total: ranges.total, reason }))
        }
        leases.set(machine, free.ip)
        owners.set(free.ip, machine)
        return Effect.succeed(addressing(free.ip, free.network))
      })

    const adopt = (machine: MachineId, ip: string) =>
      Effect.sync(() => {
        leases.set(machine, ip)
        if (!owners.has(ip)) owners.set(ip, machine)
      })

    const release = (machine: MachineId) =>
      Effect.sync(() => {
        const ip = leases.get(machine)
        leases.delete(machine)
        if (ip !== undefined && owners.get(ip) === machine) owners.delete(ip)
      })

    const forget = (facts: MachineFacts) =>
      Effect.sync(() => {
        count(seenOn.get(facts.ref) ?? [], -1)
        seenOn.delete(facts.ref)
      })

    const observe = (facts: MachineFacts) =>
      Effect.sync(() => {
        const before = seenOn.get(facts.ref)
        const now = facts.template ? [] : addressesOf(facts).filter((ip) => ranges.networkOf(ip) !== undefined)
        if (before === undefined && now.length === 0) return
        count(now, 1)
        count(before ?? [], -1)
        if (now.length === 0) seenOn.delete(facts.ref)
        else seenOn.set(facts.ref, now)
      })

    return IpPool.of({
      lease,
      adopt,
      release,
      observe,
      forget,
      count: Effect.sync(() => ({
        total: ranges.total,
        leased: leases.size,
        foreign: [...seen.keys()].filter((ip) => !owners.has(ip)).length
      }))
    })
  })
)
