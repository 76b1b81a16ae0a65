/**
 * Takes the mechanisms that the promises rest on out of a copy of the source, one at a time, and shows which property notices. A mechanism
 * that can go without a property failing is not tested.
 */
import { afterAll, assert, describe, it } from "vitest"
import { tested } from "./Copy.ts"
import { mutations } from "./catalogue.ts"
import type { Property } from "./Mutation.ts"

const key = ({ file, title }: Property): string => `${file}: ${title}`

const all: ReadonlyArray<Property> = [
  ...new Map(mutations.flatMap(({ caughtBy }) => caughtBy).map((property) => [key(property), property])).values()
]

describe("the source", () => {
  it("has every property as it is", async () => {
    const outcome = await tested([], all)
    assert.deepStrictEqual(
      [...outcome].filter(([, failure]) => failure !== undefined).map(([{ title }, failure]) => `${title}: ${failure}`),
      []
    )
  })
})

describe("a property fails in a source in which", () => {
  const shown: Array<string> = []
  afterAll(() => console.log(["What caught the mutations:", ...shown].join("\n")))

  for (const { mechanism, broken, patches, caughtBy } of mutations)
    it(`${broken} (${mechanism})`, async () => {
      const outcome = await tested(patches, caughtBy)
      shown.push(`${mechanism}: ${broken}`)
      for (const [{ title }, failure] of outcome) shown.push(`  ${title}`, `    ${failure ?? "not caught"}`)
      const missed = [...outcome].filter(([, failure]) => failure === undefined).map(([property]) => key(property))
      assert.deepStrictEqual(missed, [])
    })
})
