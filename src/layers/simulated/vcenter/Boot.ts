/** What a guest does between power on and readiness: Tools, customization, addresses, guest operations. */
import { Effect } from "effect"
import type { Core } from "./Core.ts"
import type { FaultOf } from "./FaultBook.ts"
import type { GuestState, Machine } from "./Machine.ts"

type Mishap = FaultOf<"GuestFails">["how"] | undefined

const dockerBridge = "172.17.0.1"

const group = (high = 0, low = 0): string => ((high << 8) | low).toString(16)

/** Link-local IPv6 address of a card, from its MAC address (RFC 4291, appendix A). */
const linkLocal = (mac: string): string => {
  const [a, b, c, d, e, f] = mac.split(":").map((part) => Number.parseInt(part, 16))
  return `fe80::${group((a ?? 0) ^ 2, b)}:${group(c, 0xff)}:${group(0xfe, d)}:${group(e, f)}`
}

/** Runs the pending customization of a first boot. A failed one leaves the guest to DHCP. */
const customize = Effect.fnUntraced(function* (core: Core, machine: Machine, mishap: Mishap) {
  const pending = machine.customization
  if (pending === undefined) return
  setGuest(core, machine, { customization: "RUNNING" })
  yield* core.pause(core.timings().customizationMs)
  if (mishap === "CustomizationFails") {
    core.store.update(machine, { customization: undefined })
    return setGuest(core, machine, { customization: "FAILED" })
  }
  core.store.update(machine, { customization: undefined, fixed: pending.addresses })
  setGuest(core, machine, { customization: "SUCCEEDED", hostName: pending.hostName ?? machine.name })
})

/** The addresses of each card: the fixed one, or a lease. Some guests also report IPv6 and a docker bridge. */
const addressing = (core: Core, machine: Machine, mishap: Mishap): Partial<GuestState> => {
  if (mishap === "NoAddress") return { addresses: machine.cards.map(() => []) }
  const noisy = core.random() < core.options.guestNoise
  const addresses = machine.cards.map((card, index) => {
    const fixed = mishap === "WrongAddress" ? undefined : machine.fixed[index]
    const ip = fixed ?? core.guests.lease(card.mac)
    return noisy ? [ip, linkLocal(card.mac)] : [ip]
  })
  return {
    addresses,
    bridges: noisy ? [dockerBridge] : [],
    ipAddress: noisy ? dockerBridge : addresses[0]?.[0]
  }
}

const setGuest = (core: Core, machine: Machine, patch: Partial<GuestState>) =>
  core.store.update(machine, { guest: { ...machine.guest, ...patch } })

/** Boots the guest. True when it then dies by itself, which is the moment it answers. */
export const boot = Effect.fnUntraced(function* (core: Core, machine: Machine) {
  const timings = core.timings()
  const fault = core.faults.take("GuestFails", "boot", machine.name)
  if (fault?.how === "NeverBoots") return false
  yield* core.pause(timings.bootMs)
  if (fault?.how === "ToolsNever") return false
  setGuest(core, machine, { tools: true, hostName: machine.guest.hostName ?? machine.name })
  yield* customize(core, machine, fault?.how)
  yield* core.pause(timings.ipMs)
  setGuest(core, machine, addressing(core, machine, fault?.how))
  setGuest(core, machine, { ready: true })
  if (fault?.how !== "Dies") return false
  yield* Effect.sleep(fault.afterMs ?? 3 * 60_000)
  return true
})
