/** `rookery config`: a new file, a check of one as `start` reads it, and what an editor wants to know of it. */
import { Console, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { fresh, line, load } from "../layers/config/ConfigFile.ts"
import { outline } from "../schema/Config.ts"
import { jsonSchema } from "../schema/config/jsonSchema.ts"

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

const write = Command.make("new", {}, () =>
  Effect.flatMap(
    Effect.sync(() => fresh().trimEnd()),
    Console.log
  )
).pipe(Command.withDescription("Print a new configuration file: every key with its default and what it is for"))

const schema = Command.make("schema", {}, () => Console.log(JSON.stringify(jsonSchema(outline()), undefined, 2))).pipe(
  Command.withDescription("Print the JSON Schema of the configuration file, for editors")
)

export const configCommand = Command.make("config").pipe(
  Command.withDescription("Work on configuration files"),
  Command.withSubcommands([write, check, schema])
)
