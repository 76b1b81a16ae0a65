/** The transport `Vim` to a simulated vCenter in this process. Each one made is a client with a session cookie of its own. */
import { Effect, Layer } from "effect"
import { VimUnreachable } from "../../../schema/Errors.ts"
import { Vim } from "../../vsphere/Vim.ts"
import { SimVCenter } from "./SimVCenter.ts"

export interface TransportOptions {
  /** Milliseconds that a call takes on its way, half of it before and half after the work. */
  readonly latencyMs?: number
}

const make = Effect.fnUntraced(function* (options: TransportOptions = {}) {
  const vcenter = yield* SimVCenter
  const latencyMs = options.latencyMs ?? 4
  const halfWay = latencyMs === 0 ? Effect.void : Effect.sleep(latencyMs / 2)
  let cookie: string | undefined

  return Vim.of({
    call: Effect.fnUntraced(function* (operation, args) {
      yield* halfWay
      const answer = yield* vcenter.request(operation, args, cookie)
      if (answer.setSession !== undefined) cookie = answer.setSession || undefined
      yield* halfWay
      return answer.result
    }),
    download: Effect.fnUntraced(function* (url, maxBytes) {
      yield* halfWay
      const text = vcenter.download(url)
      if (text === undefined)
        return yield* new VimUnreachable({ operation: "download", reason: "HTTP status 404", sent: true })
      return new TextEncoder().encode(text).slice(-maxBytes)
    })
  })
})

export const VimSimulated = {
  make,
  layer: (options: TransportOptions = {}): Layer.Layer<Vim, never, SimVCenter> => Layer.effect(Vim, make(options))
}
