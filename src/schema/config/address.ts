/** Addresses and ranges in the configuration (vsphere-behaviour 10.1): IPv4 only. Each rule says what to write instead. */
import { Result } from "effect"
import { IpInterface, IpNetwork, NetAddress } from "effect/net"

/** A block larger than this is a slip of the pen, and each of its addresses would be held in memory. */
const widestPrefix = 8

const parseBlock = (block: string): Result.Result<IpNetwork.Ipv4Network, string> => {
  const network = Result.map(IpInterface.ipv4FromString(block, { prefix: "required" }), IpNetwork.fromInterface)
  if (Result.isFailure(network))
    return Result.fail(`"${block}" is not an IPv4 block; write a.b.c.d/n, one address as a.b.c.d/32`)
  return network.success.prefixLength < widestPrefix
    ? Result.fail(`"${block}" is too large; write blocks of /${widestPrefix} or smaller`)
    : Result.succeed(network.success)
}

/** `block {"," block}` with blanks allowed around the commas. The host part of a block is masked off. */
export const parseRange = (text: string): Result.Result<ReadonlyArray<IpNetwork.Ipv4Network>, string> =>
  Result.all(text.split(",").map((block) => parseBlock(block.trim())))

export const parseIpv4 = (text: string): Result.Result<string, string> =>
  Result.match(NetAddress.ipv4FromString(text), {
    onFailure: () => Result.fail("write an IPv4 address a.b.c.d"),
    onSuccess: (address) => Result.succeed(NetAddress.formatIp(address))
  })

/** Ones, then zeros. */
export const parseMask = (text: string): Result.Result<string, string> =>
  Result.flatMap(parseIpv4(text), (address) => {
    const bits = address
      .split(".")
      .map((octet) => Number(octet).toString(2).padStart(8, "0"))
      .join("")
    return /^1+0*$/.test(bits) ? Result.succeed(address) : Result.fail("write a subnet mask such as 255.255.255.0")
  })

/** `http(s)://host[:port][/path]` without credentials, query and trailing slash. A bare host gets `scheme`. */
export const parseUrl =
  (scheme: "http" | "https" | undefined) =>
  (text: string): Result.Result<string, string> => {
    const written = scheme !== undefined && !text.includes("://") ? `${scheme}://${text}` : text
    const url = URL.canParse(written) ? new URL(written) : undefined
    if (url === undefined || !/^https?:$/.test(url.protocol) || url.hostname === "")
      return Result.fail(scheme === undefined ? "write an address http(s)://host[:port]" : "write host[:port] or a URL")
    if (url.username !== "" || url.password !== "")
      return Result.fail("write it without user and password; they have keys of their own")
    return url.search !== "" || url.hash !== ""
      ? Result.fail("write it without ? and #")
      : Result.succeed(written.replace(/\/+$/, ""))
  }
