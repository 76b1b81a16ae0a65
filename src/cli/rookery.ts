/** The command line: `rookery` alone is the demo, the rest are subcommands. */
import { NodeRuntime, NodeServices } from "@effect/platform-node"
import { Console, Effect, Layer, Predicate } from "effect"
import { CliOutput, Command } from "effect/cli"
import { version } from "../layers/version.ts"
import * as Log from "../layers/telemetry/Log.ts"
import { defaultLog } from "../schema/Config.ts"
import { configCommand } from "./config.ts"
import { demoCommand } from "./demo.ts"
import { report, teardown } from "./exit.ts"
import { simulateCommand } from "./simulate.ts"
import { startCommand } from "./start.ts"

const root = demoCommand.pipe(Command.withSubcommands([startCommand, configCommand, simulateCommand]))

/** A wrong command line is answered by what is wrong with it; the help is a flag away. */
const presenter = Layer.succeed(CliOutput.Presenter, {
  present: (event) =>
    Predicate.isTagged(event, "InvalidInvocation")
      ? Console.error(
          [...event.errors.map(({ message }) => message), `"${event.commandPath.join(" ")} --help" tells more`].join(
            "\n"
          )
        )
      : CliOutput.defaultPresenter.present(event)
})

export const run = (args: ReadonlyArray<string>): void =>
  Command.runWith(root, { version })(args).pipe(
    Effect.tapCause(report),
    Effect.provide(Layer.mergeAll(NodeServices.layer, presenter, Log.layer(defaultLog))),
    NodeRuntime.runMain({ disableErrorReporting: true, teardown: teardown(args) })
  )
