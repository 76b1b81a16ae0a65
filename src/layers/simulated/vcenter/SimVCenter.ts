/**
 * The simulated vCenter: a state machine on the Effect clock. `VimSimulated` puts it behind the transport in this process, `Front` behind
 * real SOAP.
 */
import { Context, Effect, Layer } from "effect"
import type { Scope } from "effect"
import { Core } from "./Core.ts"
import { addTemplate } from "./Estate.ts"
import type { SimVCenterHandle } from "./Handle.ts"
import { makeHandle } from "./Handle.ts"
import { defaults } from "./Options.ts"
import type { PartialOptions } from "./Options.ts"
import { addManagers } from "./operations/ServiceOperations.ts"
import { makeRuntime } from "./Runtime.ts"

const make = Effect.fnUntraced(function* (
  given: PartialOptions = {}
): Effect.fn.Return<SimVCenterHandle, never, Scope.Scope> {
  const options = { ...defaults, ...given, timings: { ...defaults.timings, ...given.timings } }
  const runtime = yield* makeRuntime(options)
  const core = new Core(runtime, options)
  addManagers(core)
  for (const template of options.templates) addTemplate(core, template)
  return makeHandle(core, runtime)
})

export class SimVCenter extends Context.Service<SimVCenter, SimVCenterHandle>()(
  "rookery/layers/simulated/vcenter/SimVCenter"
) {
  /** A vCenter that lives as long as the scope, with all that runs in it. */
  static readonly make = make

  static readonly layer = (options: PartialOptions = {}): Layer.Layer<SimVCenter> =>
    Layer.effect(SimVCenter, make(options))
}
