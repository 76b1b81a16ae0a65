/** The websocket clients of `/v2/hatchery/ws` (cds-contract 4.6). */
import { Queue } from "effect"
import { eventFrame } from "./Job.ts"
import type { JobRecord } from "./Job.ts"

export type SocketFrame =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "close"; readonly code: number }
  /** The TCP connection goes away without a closing handshake. */
  | { readonly kind: "drop" }

export interface SocketClient {
  readonly hatcheryName: string
  /** The hatchery's region when it connected. */
  readonly region: string
  readonly modelType: string
  readonly osArch: ReadonlyArray<string>
  readonly frames: Queue.Queue<SocketFrame>
}

export class Sockets {
  readonly #clients = new Set<SocketClient>()

  get count(): number {
    return this.#clients.size
  }

  add(client: SocketClient): void {
    this.#clients.add(client)
  }

  remove(client: SocketClient): void {
    this.#clients.delete(client)
  }

  /** Tells the clients whose region, type and architectures fit that the job is in the queue, `copies` times. */
  publish(job: JobRecord, copies: number): void {
    const frame: SocketFrame = { kind: "text", text: eventFrame(job) }
    for (const client of this.#clients) {
      if (client.region !== job.region || client.modelType !== job.model.type) continue
      if (!client.osArch.includes(job.model.osArch)) continue
      for (let copy = 0; copy < copies; copy++) Queue.offerUnsafe(client.frames, frame)
    }
  }

  /** Ends all connections: with a close code, or by dropping them. */
  end(how: number | "drop"): void {
    const frame: SocketFrame = how === "drop" ? { kind: "drop" } : { kind: "close", code: how }
    for (const client of this.#clients) Queue.offerUnsafe(client.frames, frame)
    this.#clients.clear()
  }
}
