import { assert, describe, it } from "@effect/vitest"
import { Effect, Schema } from "effect"
import {
  readAnswer,
  readRequest,
  writeFault,
  writeRequest,
  writeResult
} from "../../../src/layers/vsphere/soap/Message.ts"
import { operations, type VimOperation } from "../../../src/layers/vsphere/Vim.ts"
import { ServiceContent } from "../../../src/layers/vsphere/ServiceContent.ts"
import { FileTransfer, ProcessList } from "../../../src/layers/vsphere/wire/GuestProcess.ts"
import { changeMachine, readMachine } from "../../../src/layers/vsphere/wire/MachineProperties.ts"
import { taskEnd } from "../../../src/layers/vsphere/wire/Task.ts"
import { RetrieveAnswer, UpdateAnswer } from "../../../src/layers/vsphere/wire/Updates.ts"
import { decodeAnswer } from "../../../src/layers/vsphere/wire/Values.ts"
import { samples } from "../../layers/vsphere/soap/samples.ts"
import { cases } from "./cases.ts"
import type { Chance } from "./Chance.ts"
import { mutateXml } from "./mutate.ts"
import { makeXml, type Xml } from "./xml.ts"

const decoders: Partial<Record<VimOperation, (answer: unknown) => Effect.Effect<unknown, unknown>>> = {
  RetrieveServiceContent: Schema.decodeUnknownEffect(ServiceContent),
  WaitForUpdatesEx: decodeAnswer("WaitForUpdatesEx", UpdateAnswer),
  RetrievePropertiesEx: decodeAnswer("RetrievePropertiesEx", RetrieveAnswer),
  ListProcessesInGuest: (answer) => decodeAnswer("ListProcessesInGuest", ProcessList)({ processes: answer }),
  InitiateFileTransferFromGuest: decodeAnswer("InitiateFileTransferFromGuest", FileTransfer)
}

/** What the inventory makes of updates that were understood. */
const applied = (answer: typeof UpdateAnswer.Type): void => {
  for (const { objectSet } of answer?.filterSet ?? [])
    for (const { obj, changeSet } of objectSet) {
      const machine = readMachine(
        obj.value,
        changeSet.map(({ name, val }) => ({ name, val })),
        undefined
      )
      const changed = changeMachine(machine, changeSet)
      assert.isTrue(Number.isFinite(changed.numCpu) && Number.isFinite(changed.memoryMB))
      assert.typeOf(changed.name, "string")
      taskEnd(new Map(changeSet.map(({ name, val }) => [name, val])))
    }
}

const check = ({ types, parse }: Xml, operation: VimOperation, text: string) =>
  Effect.gen(function* () {
    const read = parse(text)
    if ("reason" in read) return assert.isAbove(read.reason.length, 0)
    const answer = readAnswer(types, operation, read.root)
    if (answer._tag === "Fault") return assert.typeOf(answer.fault + answer.message, "string")
    if (answer._tag === "NotSoap") return assert.isAbove(answer.reason.length, 0)
    const decoded = yield* Effect.result(decoders[operation]?.(answer.result) ?? Effect.void)
    if (operation === "WaitForUpdatesEx" && decoded._tag === "Success")
      applied(decoded.success as typeof UpdateAnswer.Type)
  })

const answerOf = (xml: Xml) => (chance: Chance) => {
  const operation = chance.pick(operations)
  const text = chance.is(0.1)
    ? writeFault("InvalidArgument", "A specified parameter was not correct: spec")
    : writeResult(xml.types, operation, samples[operation].result)
  return { operation, text: mutateXml(chance, text) }
}

const requestOf = (xml: Xml) => (chance: Chance) => {
  const operation = chance.pick(operations)
  const body = writeRequest(xml.types, operation, samples[operation].args)
  return mutateXml(
    chance,
    `<e:Envelope xmlns:e="http://schemas.xmlsoap.org/soap/envelope/"><e:Body>${body}</e:Body></e:Envelope>`
  )
}

describe("malformed SOAP", () => {
  it.effect("as an answer is an answer, a fault or a reason, and never an exception", () =>
    Effect.gen(function* () {
      const xml = yield* makeXml
      yield* cases(1_500, answerOf(xml), ({ operation, text }) => check(xml, operation, text))
    })
  )

  it.effect("as a request is read or refused", () =>
    Effect.gen(function* () {
      const xml = yield* makeXml
      yield* cases(500, requestOf(xml), (text) =>
        Effect.sync(() => {
          const read = xml.parse(text)
          if ("root" in read) readRequest(xml.types, read.root)
        })
      )
    })
  )

  /** Found by fuzzing: property names that every object has. */
  for (const name of ["constructor", "__proto__", "toString", "hasOwnProperty"])
    it.effect(`does no harm with a property called ${name}`, () =>
      Effect.gen(function* () {
        const xml = yield* makeXml
        const { result } = samples.WaitForUpdatesEx
        const text = writeResult(xml.types, "WaitForUpdatesEx", result)
        for (const known of ["name", "config.annotation", "guest.net"])
          yield* check(xml, "WaitForUpdatesEx", text.replaceAll(`<name>${known}<`, `<name>${name}<`))
      })
    )
})
