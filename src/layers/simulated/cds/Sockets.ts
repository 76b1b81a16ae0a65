/** The websocket clients of one route, which are told of jobs that wait (cds-contract 4.4, 4.6). */
import { Queue } from "effect"

export type SocketFrame =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "close"; readonly code: number }
  /** The TCP connection goes away without a closing handshake. */
  | { readonly kind: "drop" }

/** A connection as its front sees it. */
export interface Connection {
  readonly frames: Queue.Dequeue<SocketFrame>
  /** A text frame of the client has arrived. */
  readonly receive: (text: string) => void
}

export interface SocketClient<Job> {
  readonly frames: Queue.Queue<SocketFrame>
  readonly wants: (job: Job) => boolean
}

/** A client that was let in and waits at the door. */
export interface Joined {
  readonly enter: () => void
  readonly leave: () => void
  readonly receive: Connection["receive"]
}

export const sendText = (frames: Queue.Queue<SocketFrame>, text: string): void => {
  Queue.offerUnsafe(frames, { kind: "text", text })
}

export class Sockets<Job> {
  readonly #clients = new Set<SocketClient<Job>>()
  readonly #frameOf: (job: Job) => string

  constructor(frameOf: (job: Job) => string) {
    this.#frameOf = frameOf
  }

  get count(): number {
    return this.#clients.size
  }

  /** Lets the client in; it hears nothing before it enters. */
  join(client: SocketClient<Job>, receive: Connection["receive"] = () => undefined): Joined {
    return { enter: () => this.#clients.add(client), leave: () => this.#clients.delete(client), receive }
  }

  /** Tells the clients who want to hear of it that the job is in the queue, `copies` times. */
  publish(job: Job, copies: number): void {
    const text = this.#frameOf(job)
    for (const client of this.#clients) {
      if (!client.wants(job)) continue
      for (let copy = 0; copy < copies; copy++) sendText(client.frames, text)
    }
  }

  /** Ends all connections: with a close code, or by dropping them. */
  end(how: number | "drop"): void {
    const frame: SocketFrame = how === "drop" ? { kind: "drop" } : { kind: "close", code: how }
    for (const client of this.#clients) Queue.offerUnsafe(client.frames, frame)
    this.#clients.clear()
  }
}
