/** Configuration files for the tests: the mandatory keys, what a test adds, and what is read from them. */
import { assert } from "@effect/vitest"
import { Result } from "effect"
import type { Key, Outline } from "../../src/schema/config/Section.ts"
import { decode, type Config, type Outside } from "../../src/schema/Config.ts"

export const vsphere = "hatchery.vsphere"
export const common = `${vsphere}.commonConfiguration`

/** Lines of TOML by the table they stand in; a path in `[brackets]` is one entry of a list. */
export type Tables = Readonly<Record<string, string>>

const mandatory: Tables = {
  [vsphere]: `user = "cds"\npassword = "vcenter-password"\nendpoint = "vcenter.example"\ndatacenterString = "dc"`,
  [common]: `name = "hatch"\nrsaPrivateKey = "good key"`,
  [`${common}.api`]: `tokenV2 = "token-v2"`,
  [`${common}.api.http`]: `url = "http://cds.example:8081"`
}

const keysOf = (lines: string): ReadonlyArray<string | undefined> =>
  lines.split("\n").map((line) => line.split(" = ")[0])

/** A file of the mandatory keys and these. A line here takes the place of the mandatory one for the same key. */
export const file = (more: Tables = {}): string => {
  const linesOf = (table: string): string => {
    const own = more[table] ?? ""
    const kept = (mandatory[table] ?? "").split("\n").filter((line) => !keysOf(own).includes(line.split(" = ")[0]))
    return [`[${table}]`, ...kept, own].join("\n")
  }
  return [...new Set([...Object.keys(mandatory), ...Object.keys(more)])].map(linesOf).join("\n")
}

export type Variables = Outside["environment"]

const outside = (environment: Variables): Outside => ({
  readFile: () => Result.succeed("-----BEGIN CERTIFICATE-----"),
  checkKey: (pem) =>
    /^good key$|^-----BEGIN PRIVATE KEY-----/.test(pem) ? undefined : "not an RSA private key in PEM",
  environment
})

/** What a file says, which must be good. */
export const read = (text: string, environment: Variables = {}, strict = false): Config =>
  Result.match(decode(text, outside(environment), strict), {
    onSuccess: (config) => config,
    onFailure: ({ message }) => assert.fail(message)
  })

/** What is wrong with a file, a line each; none where it is good. */
export const problems = (text: string, environment: Variables = {}): ReadonlyArray<string> =>
  Result.match(decode(text, outside(environment)), {
    onSuccess: () => [],
    onFailure: ({ message }) => message.split("\n")
  })

/** A leaf of the outline: a key that holds a value. Those of a list's tables have the list in their path. */
export interface Leaf {
  readonly path: string
  readonly table: string
  readonly name: string
  readonly key: Key
  readonly isInList: boolean
}

export const leavesOf = (keys: Outline, table = "", isInList = false): ReadonlyArray<Leaf> =>
  [...keys].flatMap(([name, key]) => {
    const path = table === "" ? name : `${table}.${name}`
    return key.inner === undefined
      ? [{ path, table, name, key, isInList }]
      : leavesOf(key.inner, path, isInList || key.kind === "tables")
  })
