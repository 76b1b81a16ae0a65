/** `rookery config check`: reads a configuration as `start` would, without starting. */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { line, load } from "../layers/config/ConfigFile.ts"

export const configFlag = Flag.String("config").pipe(
  Flag.withMetavar("FILE"),
  Flag.withDescription("The CDS engine's TOML file, with [hatchery.vsphere] in it")
)

const strict = Flag.Boolean("strict").pipe(
  Flag.withDefault(false),
  Flag.withDescription("Refuse what has no effect: unknown keys, features that are not there")
)

const check = Command.make(
  "check",
  { config: configFlag, strict },
  Effect.fnUntraced(function* ({ config, strict }) {
    const { settings, warnings } = yield* load(config, strict)
    for (const warning of warnings) yield* Console.error(`warning: ${line(warning)}`)
    yield* Console.log(`${config}: good, hatchery "${settings.cds.name}" on ${settings.vsphere.endpoint}`)
  })
).pipe(Command.withDescription("Check a configuration file and say everything that is wrong with it"))

export const configCommand = Command.make("config").pipe(
  Command.withDescription("Work on configuration files"),
  Command.withSubcommands([check])
)
