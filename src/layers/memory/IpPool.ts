/** The address pool of one hatchery process. Its truth is rebuilt at start from the machines that are adopted and seen. */
import { Effect, Layer } from "effect"
import { parse } from "../../schema/Annotation.ts"
import { IpExhausted } from "../../schema/Errors.ts"
import type { MachineFacts, MachineId, MachineRef } from "../../schema/Machine.ts"
import { IpPool } from "../../services/IpPool.ts"
import { Settings, type NetworkSettings } from "../../services/Settings.ts"
import type { Addressing } from "../../services/VSphere.ts"
import { IpRanges } from "./IpRanges.ts"

/** `provision-v2-ip-10-0-0-5-…`: a machine in the making shows its name long before its annotation. */
const inName = /^provision-v2-ip-(\d+)-(\d+)-(\d+)-(\d+)-/

/** Where an address of a machine was seen: written in its annotation or its name, or on a card of its guest. */
interface Seen {
  readonly written: ReadonlyArray<string>
  readonly onCards: ReadonlyArray<string>
}

const nowhere: Seen = { written: [], onCards: [] }

const addressesOf = ({ annotation, guest, name }: MachineFacts): Seen => {
  const written = parse(annotation)?.ipAddress ?? inName.exec(name)?.slice(1).join(".")
  return { written: written === undefined ? [] : [written], onCards: guest.addresses.flat() }
}

const count = (counts: Map<string, number>, ips: ReadonlyArray<string>, by: number) => {
  for (const ip of ips) {
    const n = (counts.get(ip) ?? 0) + by
    if (n > 0) counts.set(ip, n)
    else counts.delete(ip)
  }
}

export const layer: Layer.Layer<IpPool, never, Settings> = Layer.effect(
  IpPool,
  Effect.gen(function* () {
    const { vsphere } = yield* Settings
    const ranges = new IpRanges(vsphere.networks)
    const leases = new Map<MachineId, string>()
    /** How many machines hold a lease of an address: two only where adoption found them so. */
    const leased = new Map<string, number>()
    /** Addresses of the ranges that were seen on machines: on which, and on how many. */
    const seenOn = new Map<MachineRef, Seen>()
    const written = new Map<string, number>()
    const active = new Map<string, number>()

    const account = (seen: Seen, by: number) => {
      count(written, seen.written, by)
      count(active, seen.onCards, by)
    }
    const ofRanges = (ips: ReadonlyArray<string>) => ips.filter((ip) => ranges.networkOf(ip) !== undefined)

    const addressing = (ip: string, network: NetworkSettings): Addressing => ({
      _tag: "Static",
      ip,
      subnetMask: network.subnetMask,
      gateway: network.gateway,
      dns: vsphere.dns
    })

    const hold = (machine: MachineId, ip: string) => {
      leases.set(machine, ip)
      count(leased, [ip], 1)
    }

    const drop = (machine: MachineId) => {
      const ip = leases.get(machine)
      if (leases.delete(machine) && ip !== undefined) count(leased, [ip], -1)
    }

    const lease = (machine: MachineId): Effect.Effect<Addressing, IpExhausted> =>
      Effect.suspend(() => {
        if (vsphere.networks.length === 0) return Effect.succeed<Addressing>({ _tag: "Dhcp" })
        const held = leases.get(machine)
        const network = held === undefined ? undefined : ranges.networkOf(held)
        if (held !== undefined && network !== undefined) return Effect.succeed(addressing(held, network))
        const free = ranges.firstFree((ip) => leased.has(ip) || written.has(ip) || active.has(ip))
        if (free === undefined) {
          const reason = `all ${ranges.total} addresses of hatchery.vsphere.iprange are in use (${leases.size} by machines of this hatchery)`
          return Effect.fail(new IpExhausted({ total: ranges.total, reason }))
        }
        hold(machine, free.ip)
        return Effect.succeed(addressing(free.ip, free.network))
      })

    const adopt = (machine: MachineId, ip: string) =>
      Effect.sync(() => {
        drop(machine)
        hold(machine, ip)
      })

    const forget = (facts: MachineFacts) =>
      Effect.sync(() => {
        account(seenOn.get(facts.ref) ?? nowhere, -1)
        seenOn.delete(facts.ref)
      })

    const observe = (facts: MachineFacts) =>
      Effect.sync(() => {
        const before = seenOn.get(facts.ref)
        const found = facts.template ? nowhere : addressesOf(facts)
        const now = { written: ofRanges(found.written), onCards: ofRanges(found.onCards) }
        const none = now.written.length + now.onCards.length === 0
        if (before === undefined && none) return
        account(now, 1)
        account(before ?? nowhere, -1)
        if (none) seenOn.delete(facts.ref)
        else seenOn.set(facts.ref, now)
      })

    return IpPool.of({
      lease,
      adopt,
      release: (machine) => Effect.sync(() => drop(machine)),
      observe,
      forget,
      holders: (ip) =>
        Effect.sync(() =>
          [...seenOn].flatMap(([ref, seen]) => (seen.written.includes(ip) || seen.onCards.includes(ip) ? [ref] : []))
        ),
      count: Effect.sync(() => {
        const reserved = new Set([...ofRanges([...leased.keys()]), ...written.keys()])
        return {
          total: ranges.total,
          leased: leases.size,
          reserved: reserved.size,
          active: active.size,
          used: new Set([...reserved, ...active.keys()]).size
        }
      })
    })
  })
)
