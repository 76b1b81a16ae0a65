import { Readable } from "node:stream"
import { assert, layer } from "@effect/vitest"
import { Context, Effect, Layer } from "effect"
import { createClientAsync } from "soap"
import { encode } from "../../../../src/layers/vsphere/soap/Codec.ts"
import {
  readAnswer,
  readRequest,
  writeFault,
  writeRequest,
  writeResult
} from "../../../../src/layers/vsphere/soap/Message.ts"
import type { WireTypes } from "../../../../src/layers/vsphere/soap/WireTypes.ts"
import { wireTypes, wsdlPath } from "../../../../src/layers/vsphere/soap/WireTypes.ts"
import type { XmlElement } from "../../../../src/layers/vsphere/soap/XmlTree.ts"
import { readTree } from "../../../../src/layers/vsphere/soap/XmlTree.ts"
import type { WireValue } from "../../../../src/layers/vsphere/Vim.ts"
import { operations } from "../../../../src/layers/vsphere/Vim.ts"
import { cloneSpec, samples } from "./samples.ts"

class Wire extends Context.Service<
  Wire,
  { readonly types: WireTypes; readonly parse: (text: string) => Effect.Effect<XmlElement, string> }
>()("test/Wire") {}

const wire = Layer.effect(
  Wire,
  Effect.gen(function* () {
    const { wsdl } = yield* Effect.promise(() => createClientAsync(wsdlPath))
    const parse = (text: string) =>
      Effect.callback<XmlElement, string>((resume) =>
        readTree(wsdl.getSaxStream(Readable.from([text])), (root, reason) =>
          resume(root === undefined ? Effect.fail(reason) : Effect.succeed(root))
        )
      )
    return { types: wireTypes(wsdl), parse }
  })
)

const inEnvelope = (body: string) =>
  `<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>${body}</s:Body></s:Envelope>`

/** An OptionValue, the field that the WSDL does not declare behind the others. */
const option = (value: string) => `<o><key>k</key>${value}<extra>1</extra></o>`

const fault = (detail: string) =>
  inEnvelope(`<s:Fault><faultcode>ServerFaultCode</faultcode><faultstring/>${detail}</s:Fault>`)

layer(wire)("the messages of the vSphere API", (it) => {
  it.effect("declares every operation that is in use", () =>
    Effect.gen(function* () {
      const { types } = yield* Wire
      for (const operation of operations) assert.strictEqual(types.parameters(operation)?.[0]?.name, "_this", operation)
    })
  )

  for (const operation of operations) {
    it.effect(`reads the request of ${operation} as it was written`, () =>
      Effect.gen(function* () {
        const { types, parse } = yield* Wire
        const { args } = samples[operation]
        const root = yield* parse(inEnvelope(writeRequest(types, operation, args)))
        assert.deepStrictEqual(readRequest(types, root), { operation, args })
      })
    )

    it.effect(`reads the answer of ${operation} as it was written`, () =>
      Effect.gen(function* () {
        const { types, parse } = yield* Wire
        const { result } = samples[operation]
        const root = yield* parse(writeResult(types, operation, result))
        assert.deepStrictEqual(readAnswer(types, operation, root), { _tag: "Result", result })
      })
    )
  }

  it.effect("writes the fields in the order of the schema, bases first, however they are given", () =>
    Effect.gen(function* () {
      const { types } = yield* Wire
      const args = { _this: { type: "VirtualMachine", value: "vm-1" }, folder: undefined, name: "n", spec: cloneSpec }
      const turned = writeRequest(types, "CloneVM_Task", reversed(args) as typeof args)
      assert.strictEqual(turned, writeRequest(types, "CloneVM_Task", args))
      const order = [
        "<location>",
        "<operation>add",
        "<key>-1",
        "<backing",
        "<connectable>",
        "<addressType>",
        "<template>"
      ]
      const places = [...order, "<config>", "<powerOn>", "<snapshot "].map((tag) => turned.indexOf(tag))
      assert.deepStrictEqual(
        places,
        places.toSorted((a, b) => a - b)
      )
      assert.notInclude(places, -1)
    })
  )

  it.effect("gives primitives in anyType places their type, and puts what the WSDL does not declare behind", () =>
    Effect.gen(function* () {
      const { types } = yield* Wire
      const written = (value: WireValue) => encode(types, "o", { extra: 1, value, key: "k" }, "OptionValue")
      assert.strictEqual(written("a<b\r\n"), option('<value xsi:type="xsd:string">a&lt;b&#13;\n</value>'))
      assert.strictEqual(written(true), option('<value xsi:type="xsd:boolean">true</value>'))
      assert.strictEqual(written(7), option('<value xsi:type="xsd:int">7</value>'))
      assert.strictEqual(written(2 ** 40), option('<value xsi:type="xsd:long">1099511627776</value>'))
      assert.strictEqual(
        written(new Date(0)),
        option('<value xsi:type="xsd:dateTime">1970-01-01T00:00:00.000Z</value>')
      )
      assert.strictEqual(written(undefined), option(""))
    })
  )

  it.effect("reads a message with other prefixes, indentation and CDATA, as other clients and vCenter write it", () =>
    Effect.gen(function* () {
      const { types, parse } = yield* Wire
      const root = yield* parse(`<?xml version="1.0"?>
        <x:Envelope xmlns:x="http://schemas.xmlsoap.org/soap/envelope/"
            xmlns:XMLSchema-instance="http://www.w3.org/2001/XMLSchema-instance" xmlns:s="http://www.w3.org/2001/XMLSchema">
          <x:Header><operationID>1</operationID></x:Header>
          <x:Body>
            <v:ReconfigVM_Task xmlns:v="urn:vim25">
              <v:_this type="VirtualMachine">vm-1</v:_this>
              <v:spec>
                <v:annotation><![CDATA[ <raw> & ]]>text</v:annotation>
                <v:extraConfig XMLSchema-instance:type="v:OptionValue">
                  <v:key>k</v:key>
                  <v:value XMLSchema-instance:type="s:int"> 5</v:value>
                </v:extraConfig>
                <v:extraConfig>
                  <v:value XMLSchema-instance:type="xsd:boolean">true</v:value>
                </v:extraConfig>
              </v:spec>
            </v:ReconfigVM_Task>
          </x:Body>
        </x:Envelope>`)
      assert.deepStrictEqual(readRequest(types, root), {
        operation: "ReconfigVM_Task",
        args: {
          _this: { type: "VirtualMachine", value: "vm-1" },
          spec: {
            annotation: " <raw> & text",
            extraConfig: [
              { key: "k", value: { _type: "xsd:int", _value: " 5" } },
              { value: { _type: "xsd:boolean", _value: true } }
            ]
          }
        }
      })
    })
  )

  it.effect("keeps a long text whole", () =>
    Effect.gen(function* () {
      const { types, parse } = yield* Wire
      const text = " line <&> \u00e9\n".repeat(30_000)
      const result = {
        objects: [
          {
            obj: { type: "VirtualMachine", value: "vm-1" },
            propSet: [{ name: "a", val: { _type: "xsd:string", _value: text } }]
          }
        ]
      }
      const root = yield* parse(writeResult(types, "RetrievePropertiesEx", result))
      assert.deepStrictEqual(readAnswer(types, "RetrievePropertiesEx", root), { _tag: "Result", result })
    })
  )

  it.effect("replaces characters that XML cannot carry", () =>
    Effect.gen(function* () {
      const { types, parse } = yield* Wire
      const root = yield* parse(writeResult(types, "CurrentTime", "a\u0000\u001b\ud800b\t"))
      assert.deepStrictEqual(readAnswer(types, "CurrentTime", root), {
        _tag: "Result",
        result: "a\ufffd\ufffd\ufffdb\t"
      })
    })
  )

  it.effect("reads a fault by its type, by its element where that has none, and by its code without a detail", () =>
    Effect.gen(function* () {
      const { types, parse } = yield* Wire
      const read = (text: string) => Effect.map(parse(text), (root) => readAnswer(types, "CurrentTime", root))
      assert.deepStrictEqual(yield* read(writeFault("NotAuthenticated", "The session is not <authenticated>.")), {
        _tag: "Fault",
        fault: "NotAuthenticated",
        message: "The session is not <authenticated>."
      })
      assert.deepStrictEqual(yield* read(fault("<detail><InvalidLoginFault xmlns='urn:vim25'/></detail>")), {
        _tag: "Fault",
        fault: "InvalidLogin",
        message: "InvalidLogin"
      })
      const about = "<InvalidArgumentFault><invalidProperty>spec.name</invalidProperty></InvalidArgumentFault>"
      assert.deepStrictEqual(yield* read(fault(`<detail>${about}</detail>`)), {
        _tag: "Fault",
        fault: "InvalidArgument",
        message: "InvalidArgument (spec.name)"
      })
      assert.deepStrictEqual(yield* read(fault("")), {
        _tag: "Fault",
        fault: "ServerFaultCode",
        message: "ServerFaultCode"
      })
    })
  )

  it.effect("does not take another document for an answer", () =>
    Effect.gen(function* () {
      const { types, parse } = yield* Wire
      for (const text of ["<html><body/></html>", inEnvelope(""), inEnvelope("<LogoutResponse/>")])
        assert.strictEqual(readAnswer(types, "CurrentTime", yield* parse(text))._tag, "NotSoap")
    })
  )

  it.effect("refuses a DOCTYPE, entities, broken and bottomless documents", () =>
    Effect.gen(function* () {
      const { parse } = yield* Wire
      const reasons = yield* Effect.forEach(
        [
          '<!DOCTYPE a [<!ENTITY b "c">]><a>&b;</a>',
          "<a>&b;</a>",
          "<a><b></a>",
          "<a>",
          "",
          "no xml",
          "<a>".repeat(300) + "</a>".repeat(300)
        ],
        (text) => Effect.flip(parse(text))
      )
      assert.strictEqual(reasons[0], "a DOCTYPE is not accepted")
      assert.include(reasons[1], "entity")
      assert.strictEqual(reasons.at(-1), "nested too deeply")
    })
  )
})

/** The same data with all keys in the opposite order. */
const reversed = (value: WireValue): WireValue => {
  if (Array.isArray(value)) return value.map(reversed)
  if (typeof value !== "object") return value
  return Object.fromEntries(
    Object.entries(value)
      .toReversed()
      .map(([key, each]) => [key, reversed(each)])
  )
}
