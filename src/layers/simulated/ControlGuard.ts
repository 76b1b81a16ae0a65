/**
 * Who may steer a simulator. A control port changes what the simulator does, so it listens on loopback only, and its paths begin with a key
 * that stands nowhere but in the address that the simulator printed. A request that a web page may have sent is refused whatever its path:
 * it has an `Origin`, or another name of this machine as its `Host`.
 */
import { randomUUID } from "node:crypto"

/** Where control ports listen. */
export const host = "127.0.0.1"

const ownNames: ReadonlySet<string> = new Set(["127.0.0.1", "localhost", "[::1]"])

export const makeKey = (): string => randomUUID()

/** Why the request is refused. Header names in lower case. */
export const refusal = (headers: Readonly<Record<string, string | undefined>>): string | undefined => {
  if (headers["origin"] !== undefined) return "a control port is not for web pages"
  const name = (headers["host"] ?? "").replace(/:\d+$/, "")
  return ownNames.has(name) ? undefined : "a control port is asked by its loopback address"
}
