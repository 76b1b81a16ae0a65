/** A TCP proxy on loopback that counts what passes, to measure the traffic of a program from outside. */
import { Effect, type Scope } from "effect"
import { connect, createServer, type AddressInfo, type Socket } from "node:net"
import { HarnessError } from "./HarnessError.ts"

export interface Traffic {
  /** Bytes from client to server, request lines and headers included. */
  readonly up: number
  readonly down: number
  readonly connections: number
}

export interface Proxy {
  /** The target's url with the proxy's port. */
  readonly url: string
  /** Since the start, or since the last reset. */
  readonly traffic: Effect.Effect<Traffic>
  readonly reset: Effect.Effect<void>
  /** Cuts every connection that is open. New ones are let through. */
  readonly sever: Effect.Effect<void>
  /** Whether new connections are cut at once, as if the server were gone. */
  readonly refuse: (on: boolean) => Effect.Effect<void>
}

/** Stands between a client and the server at `target`. */
export const proxy = (target: string): Effect.Effect<Proxy, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const to = new URL(target)
    const state = { up: 0, down: 0, connections: 0, refusing: false }
    const open = new Set<Socket>()
    const sever = Effect.sync(() => open.forEach((socket) => socket.destroy()))
    const server = createServer((client) => {
      if (state.refusing) return client.destroy()
      state.connections++
      const upstream = connect({ host: to.hostname, port: Number(to.port || (to.protocol === "https:" ? 443 : 80)) })
      client.on("data", (bytes: Buffer) => (state.up += bytes.length))
      upstream.on("data", (bytes: Buffer) => (state.down += bytes.length))
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client]
      ] as const) {
        open.add(socket)
        socket.on("error", () => other.destroy())
        socket.on("close", () => {
          open.delete(socket)
          other.destroy()
        })
      }
      client.pipe(upstream)
      upstream.pipe(client)
    })
    yield* Effect.acquireRelease(
      Effect.callback<void, HarnessError>((resume) => {
        server.once("error", (error) => resume(Effect.fail(new HarnessError({ message: error.message }))))
        server.listen(0, "127.0.0.1", () => resume(Effect.void))
      }),
      () =>
        Effect.andThen(
          sever,
          Effect.callback<void>((resume) => {
            server.close(() => resume(Effect.void))
          })
        )
    )
    const url = new URL(target)
    url.host = `127.0.0.1:${(server.address() as AddressInfo).port}`
    return {
      url: url.href,
      traffic: Effect.sync(() => ({ up: state.up, down: state.down, connections: state.connections })),
      reset: Effect.sync(() => {
        Object.assign(state, { up: 0, down: 0, connections: 0 })
      }),
      sever,
      refuse: (on) =>
        Effect.sync(() => {
          state.refusing = on
        })
    }
  })
