/** Hatcheries at one real CDS, each with a vCenter of its own. They stand side by side, as most of their time is waiting. */
import { describe } from "@effect/vitest"
import * as RealCds from "./RealCds.ts"
import { realCds, shared } from "./suite.ts"
import { restart, troubles } from "./troubles.ts"

realCds("Rookery at the real CDS, where something goes wrong,", () => {
  const cds = shared(RealCds.start())
  describe.concurrent("side by side", () => {
    troubles(cds)
  })
  describe("alone", () => restart(cds))
})
