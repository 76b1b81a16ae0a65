/** Seed 001 section 3: the file as the CDS engine generates it, as a new one is printed, and as an editor is told of it. */
import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import * as Toml from "effect/encoding/Toml"
import * as Schema from "effect/Schema"
import * as SchemaRepresentation from "effect/SchemaRepresentation"
import { readFileSync } from "node:fs"
import { fresh } from "../../src/layers/config/ConfigFile.ts"
import { describe as says, described } from "../../src/schema/config/descriptions.ts"
import { jsonSchema } from "../../src/schema/config/jsonSchema.ts"
import type { Outline } from "../../src/schema/config/Section.ts"
import { outline, type Config } from "../../src/schema/Config.ts"
import { common, file, leavesOf, problems, read, vsphere, type Leaf } from "./configFile.ts"

const generated = readFileSync(new URL("engine-generated.toml", import.meta.url), "utf8")

/** The text with these keys filled in, wherever they stand empty. */
const filled = (text: string, values: Readonly<Record<string, string>>): string =>
  Object.entries(values).reduce(
    (sum, [key, value]) => sum.replace(new RegExp(`^(# )?${key} = ""$`, "m"), `${key} = "${value}"`),
    text
  )

const account = { user: "cds", password: "vcenter-password", endpoint: "vcenter.example", datacenterString: "dc" }

describe("3 A file that the CDS engine has generated", () => {
  it("lacks nothing but what stands there empty", () => {
    assert.deepStrictEqual(
      problems(generated).map((line) => line.split(" = ")[0]),
      ["endpoint", "user", "password", "datacenterString"].map((key) => `${vsphere}.${key}`)
    )
  })

  it("is read without a warning when that is filled in, and says what the absence of its keys says", () => {
    const { settings, log, warnings } = read(filled(generated, account), {}, true)
    assert.deepStrictEqual(warnings, [])
    const short = read(file({ [common]: `name = "cds-hatchery-vsphere-one"` }))
    assert.deepStrictEqual(log, short.log)
    const { cds, worker, ...others } = settings
    const { cds: shortCds, worker: shortWorker, ...shortOthers } = short.settings
    assert.deepStrictEqual(others, shortOthers)
    assert.deepStrictEqual(worker, { ...shortWorker, apiUrl: "http://localhost:8081" })
    assert.deepStrictEqual(
      { ...cds, publicConfig: {}, token: undefined },
      { ...shortCds, publicConfig: {}, tokenV2: undefined, apiUrl: "http://localhost:8081" }
    )
  })
})

const fill = (text: string): string =>
  filled(text, { ...account, name: "hatch", tokenV2: "token-v2" }).replace(
    '# http(s)://host[:port]; mandatory\nurl = ""',
    'url = "http://cds.example:8081"'
  )

/** What was read, but for the key that was made. */
const shown = ({ settings, log, warnings }: Config) => ({
  settings: { ...settings, cds: { ...settings.cds, rsaPrivateKey: "" } },
  log,
  warnings
})

const same = (one: Config, other: Config): void => {
  assert.deepStrictEqual(shown(one), shown(other))
}

describe("3 A new file", () => {
  const written = fresh()

  it("says of each key what it is for, and has its default", () => {
    for (const { table, name, isInList } of leavesOf(outline())) {
      const idle = table.startsWith("telemetry") || table.includes("logOptions") || name === "headerXForwardedFor"
      assert.strictEqual(written.includes(says(table, name) ?? "(no description)"), !idle, `${table}.${name}`)
      if (!idle) assert.match(written, new RegExp(`^(# )?${isInList ? " *" : ""}${name} = `, "m"))
    }
  })

  it("is described key by key, and no key is described that is not there", () => {
    const paths = (keys: Outline, table: string): ReadonlyArray<string> =>
      [...keys].flatMap(([name, { inner }]) => {
        const path = table === "" ? name : `${table}.${name}`
        return [path, ...paths(inner ?? new Map(), path)]
      })
    assert.deepStrictEqual(described.toSorted(), paths(outline(), "").toSorted())
  })

  it("lacks nothing but its mandatory keys, and is good under strict when they are filled in", () => {
    const lacking = problems(written).map((line) => line.split(" = ")[0])
    assert.deepStrictEqual(
      lacking.toSorted(),
      [
        ...Object.keys(account).map((key) => `${vsphere}.${key}`),
        ...["api.http.url", "api.tokenV2", "name"].map((key) => `${common}.${key}`)
      ].toSorted()
    )
    same(read(fill(written), {}, true), read(file()))
  })

  it("says the same when all its comments are taken away", () => {
    same(read(fill(written.replaceAll(/^# (\w+ = .*)$/gm, "$1")), {}, true), read(file()))
  })
})

describe("3 The JSON Schema of the file", () => {
  const { $schema, ...schema } = jsonSchema(outline())
  const validator = SchemaRepresentation.fromJsonSchemaDocument(
    { dialect: "draft-2020-12", schema, definitions: {} },
    { patterns: "apply" }
  ) as Schema.Codec<unknown>
  const accepts = (text: string): boolean =>
    Result.isSuccess(Schema.decodeResult(validator)(Result.getOrThrow(Toml.parse(text))))

  it("is one of the draft that it names", () =>
    assert.strictEqual($schema, "https://json-schema.org/draft/2020-12/schema"))

  it("accepts what the reader accepts: a short file, a generated one, a new one, flavors by name", () => {
    const flavors = `${file()}\n[hatchery.vsphere.flavors.small]\ncpus = 2\nmemoryMB = 4096`
    for (const text of [file(), filled(generated, account), flavors]) {
      assert.isTrue(accepts(text), text)
      read(text)
    }
  })

  const wrong: Record<Exclude<Leaf["key"]["kind"], "table" | "tables">, string> = {
    text: "[1]",
    secret: "[1]",
    whole: "1.5",
    number: "[1]",
    flag: '"maybe"',
    texts: "[1]",
    duration: '"soon"'
  }

  const leaves = leavesOf(outline()).filter(({ isInList }) => !isInList)

  const bothRefuse = (text: string, problem: string): void => {
    assert.include(problems(text).join("\n"), problem)
    assert.isFalse(accepts(text), problem)
  }

  it("refuses a value of the wrong kind, key by key, as the reader does", () => {
    for (const { path, table, name, key } of leaves)
      bothRefuse(file({ [table]: `${name} = ${wrong[key.kind as keyof typeof wrong]}` }), `${path} = `)
  })

  it("refuses numbers outside of their range, key by key, as the reader does", () => {
    for (const { path, table, name, key } of leaves.filter(({ key }) => key.kind === "whole"))
      for (const value of [key.min! - 1, key.max! + 1])
        bothRefuse(file({ [table]: `${name} = ${value}` }), `${path} = ${value}`)
  })

  it("refuses the absence of each mandatory key, as the reader does", () => {
    const mandatory = leaves.filter(({ key }) => key.required)
    assert.strictEqual(mandatory.length, 7)
    for (const { path, table, name } of mandatory) {
      const start = file().indexOf(`[${table}]`)
      const text =
        file().slice(0, start) +
        file()
          .slice(start)
          .replace(new RegExp(`^${name} = .*$`, "m"), "")
      bothRefuse(text, `${path} = (absent): mandatory`)
    }
  })
})
