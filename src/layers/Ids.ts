/** Identities and names: random ones, and ones that a seed decides. */
import { Effect, Layer, Random } from "effect"
import { randomInt, randomUUID } from "node:crypto"
import { Ids } from "../services/Ids.ts"
import { adjectives, surnames } from "./words.ts"

/** A whole number from 0 up to `below`, without it. */
type Draw = (below: number) => number

const longestName = 63

/** Lower case; anything but letters and digits becomes one dash; none at the ends. */
const slug = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-|-$/g, "")

const pick = (words: ReadonlyArray<string>, draw: Draw): string => words[draw(words.length)]!

/** `adjective surname`, `adjective and adjective surname` or `adjective but adjective surname`, a third each (cds-contract 10.6). */
const randomWords = (draw: Draw): string => {
  const joint = ["", "and", "but"][draw(3)]!
  const second = joint === "" ? "" : `${joint} ${pick(adjectives, draw)}`
  return `${pick(adjectives, draw)} ${second} ${pick(surnames, draw)}`
}

/** Drawn again until it fits; a prefix that leaves no room is cut. */
const workerName = (prefix: string, draw: Draw): string => {
  const front = slug(prefix).slice(0, 40)
  let name = slug(`${front} ${randomWords(draw)}`)
  while (name.length > longestName) name = slug(`${front} ${randomWords(draw)}`)
  return name
}

const isWorkerName = (name: string) => Effect.sync(() => surnames.includes(name.slice(name.lastIndexOf("-") + 1)))

const uuid = (draw: Draw): string => {
  const bytes = Uint8Array.from({ length: 16 }, () => draw(256))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-")
}

/** From the system's source of randomness. */
export const layer = Layer.succeed(Ids, {
  uuid: Effect.sync(() => randomUUID()),
  workerName: (prefix) => Effect.sync(() => workerName(prefix, (below) => randomInt(below))),
  isWorkerName
})

/** From Effect's `Random`: the same seed gives the same ids and names, in the order in which they are asked for. */
export const layerRandom = Layer.effect(
  Ids,
  Effect.gen(function* () {
    const random = yield* Random.Random
    const draw: Draw = (below) => Math.floor(random.nextDoubleUnsafe() * below)
    return Ids.of({
      uuid: Effect.sync(() => uuid(draw)),
      workerName: (prefix) => Effect.sync(() => workerName(prefix, draw)),
      isWorkerName
    })
  })
)
