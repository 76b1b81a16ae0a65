/** Starts a real CDS, prints one line of JSON with its addresses and tokens, and stays until it is interrupted. */
import { NodeRuntime } from "@effect/platform-node"
import { Console, Effect } from "effect"
import { dirname } from "node:path"
import * as RealCds from "./RealCds.ts"

const serve = Effect.gen(function* () {
  const { url, hatchery, region, project, tokens, engine } = yield* RealCds.start()
  yield* Console.log(JSON.stringify({ url, hatchery, region, project, tokens, folder: dirname(engine.config) }))
  return yield* Effect.never
})

NodeRuntime.runMain(Effect.scoped(serve))
