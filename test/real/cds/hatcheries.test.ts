/** Hatcheries at one real CDS, each with a vCenter of its own. They stand side by side, as most of their time is waiting. */
import { describe } from "@effect/vitest"
import { handovers } from "./handovers.ts"
import { heartbeats } from "./heartbeats.ts"
import * as RealCds from "./RealCds.ts"
import { realCds, shared } from "./suite.ts"
import { restart, troubles } from "./troubles.ts"

realCds("a hatchery at the real CDS", () => {
  const cds = shared(RealCds.start())
  describe.concurrent("side by side", () => {
    heartbeats(cds)
    handovers(cds)
    troubles(cds)
  })
  describe("alone", () => restart(cds))
})
