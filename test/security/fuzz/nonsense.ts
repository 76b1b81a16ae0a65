/** Transports of a world that bring malformed answers while `nonsense.share` is above zero. */
import { Effect, Layer, Stream } from "effect"
import { HttpClient, HttpClientResponse } from "effect/http"
import { CdsSocket } from "../../../src/layers/cds/CdsSocket.ts"
import { readAnswer, writeResult } from "../../../src/layers/vsphere/soap/Message.ts"
import { Vim } from "../../../src/layers/vsphere/Vim.ts"
import { VimFault, VimUnreachable } from "../../../src/schema/Errors.ts"
import type { World } from "../../support/world.ts"
import type { Chance } from "./Chance.ts"
import { mutateJsonText, mutateText, mutateXml } from "./mutate.ts"
import type { Xml } from "./xml.ts"

export interface Nonsense {
  readonly chance: Chance
  /** How much of what comes is malformed, from 0 to 1. */
  share: number
  /** What was sent malformed, the newest last. */
  readonly sent: Array<string>
}

const keep = (nonsense: Nonsense, text: string): string => {
  nonsense.sent.push(text.slice(0, 2_000))
  if (nonsense.sent.length > 5) nonsense.sent.shift()
  return text
}

/** Each malformed answer goes through the codec as one over SOAP does. */
const vimOver = (vim: Vim["Service"], nonsense: Nonsense, { types, parse }: Xml): Vim["Service"] => ({
  call: Effect.fnUntraced(function* (operation, args) {
    const result = yield* vim.call(operation, args)
    if (!nonsense.chance.is(nonsense.share)) return result
    const valid = writeResult(types, operation, result as Parameters<typeof writeResult>[2])
    const read = parse(keep(nonsense, mutateXml(nonsense.chance, valid)))
    const reason = (text: string) => new VimUnreachable({ operation, reason: text, sent: true })
    if ("reason" in read) return yield* reason(read.reason)
    const answer = readAnswer(types, operation, read.root)
    if (answer._tag === "NotSoap") return yield* reason(answer.reason)
    if (answer._tag === "Fault") return yield* new VimFault({ operation, fault: answer.fault, message: answer.message })
    return answer.result
  }),
  download: (url, maxBytes) =>
    Effect.map(vim.download(url, maxBytes), (bytes) =>
      nonsense.chance.is(nonsense.share) ? bytes.map(() => nonsense.chance.below(256)) : bytes
    )
})

const statuses = [200, 200, 200, 201, 302, 400, 404, 500]

const httpOver = (client: HttpClient.HttpClient, nonsense: Nonsense): HttpClient.HttpClient =>
  HttpClient.make((request) =>
    Effect.gen(function* () {
      const response = yield* client.execute(request)
      if (!nonsense.chance.is(nonsense.share)) return response
      const text = keep(nonsense, mutateJsonText(nonsense.chance, yield* response.text))
      const headers = nonsense.chance.is(0.9) ? { ...response.headers } : {}
      const status = nonsense.chance.pick(statuses)
      const malformed = HttpClientResponse.fromWeb(request, new Response(null, { status, headers }))
      return Object.defineProperty(malformed, "text", { value: Effect.succeed(text) })
    })
  )

const socketOver = (socket: CdsSocket["Service"], nonsense: Nonsense): CdsSocket["Service"] => ({
  connect: (url, headers, greeting) =>
    Effect.map(
      socket.connect(url, headers, greeting),
      Stream.map((frame) => {
        const { chance, share } = nonsense
        if (!chance.is(share)) return frame
        return keep(nonsense, chance.is(0.5) ? mutateText(chance, frame) : mutateJsonText(chance, frame))
      })
    )
})

/** The world with nonsense on its lines. */
export const withNonsense = (world: World, nonsense: Nonsense, xml: Xml): World => ({
  ...world,
  transports: (line) => {
    const sane = world.transports(line)
    return Layer.mergeAll(
      Layer.effect(
        Vim,
        Effect.map(Vim, (vim) => vimOver(vim, nonsense, xml))
      ),
      Layer.effect(
        HttpClient.HttpClient,
        Effect.map(HttpClient.HttpClient, (client) => httpOver(client, nonsense))
      ),
      Layer.effect(
        CdsSocket,
        Effect.map(CdsSocket, (socket) => socketOver(socket, nonsense))
      )
    ).pipe(Layer.provideMerge(sane))
  }
})
