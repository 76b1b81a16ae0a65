/** Where machines get their addresses from (seed 001 section 7; vsphere-behaviour 10.1, 10.2). */
import type { NetworkSettings } from "../Settings.ts"
import { parseIpv4, parseMask, parseRange } from "./address.ts"
import type { Section } from "./Section.ts"

const defaultMask = "255.255.255.0"

/** `[[networks]]`: each entry is complete. */
const readNetwork = (network: Section): ReadonlyArray<NetworkSettings> => {
  const ipRange = network.required("iprange", "the addresses of this network, a.b.c.d/n,...")
  const gateway = network.required("gateway", "the gateway of this network") && network.parsed("gateway", parseIpv4)
  const mask = network.required("subnetMask", "the mask of this network") && network.parsed("subnetMask", parseMask)
  network.parsed("iprange", parseRange)
  return [{ ipRange, gateway: gateway || undefined, subnetMask: mask || defaultMask }]
}

/** `networks[]` where there are any, else the three keys of old as one network, else none: addresses come by DHCP. */
export const readNetworks = (vsphere: Section): ReadonlyArray<NetworkSettings> => {
  const ipRange = vsphere.text("iprange", "")
  vsphere.parsed("iprange", parseRange)
  const gateway = vsphere.parsed("gateway", parseIpv4)
  const subnetMask = vsphere.parsed("subnetMask", parseMask, defaultMask) ?? defaultMask
  const networks = vsphere.sections("networks")
  if (networks.length > 0) return networks.flatMap(readNetwork)
  return ipRange === "" ? [] : [{ ipRange, gateway, subnetMask }]
}
