/** The addresses of the configured ranges, in configured order, without being expanded in memory. */
import { Result } from "effect"
import { parseRange } from "../../schema/config/address.ts"
import type { NetworkSettings } from "../../schema/Settings.ts"

/** One block with the network it belongs to; `first` and `last` as 32-bit numbers. */
interface Block {
  readonly first: number
  readonly last: number
  readonly network: NetworkSettings
}

const toNumber = (ip: string): number => ip.split(".").reduce((sum, octet) => sum * 256 + Number(octet), 0)

const toText = (n: number): string => [24, 16, 8, 0].map((shift) => Math.floor(n / 2 ** shift) % 256).join(".")

/**
 * What may never be handed out (defect 60): the gateway, and the network and broadcast addresses of the subnet that the mask makes. A mask
 * of /31 or /32 has neither.
 */
const excluded = (n: number, network: NetworkSettings): boolean => {
  if (network.gateway !== undefined && n === toNumber(network.gateway)) return true
  const hosts = 2 ** 32 - 1 - toNumber(network.subnetMask)
  return hosts > 1 && (n % (hosts + 1) === 0 || n % (hosts + 1) === hosts)
}

/** How many numbers from `first` to `last` leave this rest when they are divided by `size`. */
const withRest = (rest: number, size: number, first: number, last: number): number =>
  Math.floor((last - rest) / size) - Math.floor((first - 1 - rest) / size)

/** How many addresses from `first` to `last` may be handed out. */
const usable = (first: number, last: number, { gateway, subnetMask }: NetworkSettings): number => {
  const subnet = 2 ** 32 - toNumber(subnetMask)
  const ends = subnet > 2 ? withRest(0, subnet, first, last) + withRest(subnet - 1, subnet, first, last) : 0
  const through = gateway === undefined ? -1 : toNumber(gateway)
  const isEnd = subnet > 2 && (through % subnet === 0 || through % subnet === subnet - 1)
  return last - first + 1 - ends - (through >= first && through <= last && !isEnd ? 1 : 0)
}

export class IpRanges {
  readonly #blocks: ReadonlyArray<Block>
  /** How many addresses can be handed out. */
  readonly total: number

  constructor(networks: ReadonlyArray<NetworkSettings>) {
    this.#blocks = networks.flatMap((network) =>
      Result.getOrElse(parseRange(network.ipRange), () => []).map((block) => {
        const first = toNumber(String(block).split("/")[0] ?? "")
        return { first, last: first + 2 ** (32 - block.prefixLength) - 1, network }
      })
    )
    this.total = this.#count()
  }

  /** The network of an address that belongs to the ranges and may be handed out; undefined for every other text. */
  networkOf(ip: string): NetworkSettings | undefined {
    if (!/^\d+\.\d+\.\d+\.\d+$/.test(ip)) return undefined
    const n = toNumber(ip)
    const block = this.#blocks.find(({ first, last }) => n >= first && n <= last)
    return block === undefined || excluded(n, block.network) ? undefined : block.network
  }

  /** The first address that `used` does not know. The search passes over used addresses only, so it costs what is used. */
  firstFree(used: (ip: string) => boolean): { readonly ip: string; readonly network: NetworkSettings } | undefined {
    for (const { first, last, network } of this.#blocks) {
      for (let n = first; n <= last; n++) {
        const ip = toText(n)
        if (!excluded(n, network) && !used(ip)) return { ip, network }
      }
    }
    return undefined
  }

  /** Overlapping blocks count once. */
  #count(): number {
    const sorted = this.#blocks.toSorted((a, b) => a.first - b.first)
    let total = 0
    let next = 0
    for (const { first, last, network } of sorted) {
      const from = Math.max(first, next)
      if (from <= last) total += usable(from, last, network)
      next = Math.max(next, last + 1)
    }
    return total
  }
}
