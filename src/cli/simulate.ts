/** `rookery simulate`: the simulated CDS API and the simulated vCenter as processes of their own, on real sockets and the real clock. */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import * as CdsFront from "../layers/simulated/cds/Front.ts"
import { Failed } from "./exit.ts"

const port = (name: string, what: string) =>
  Flag.Int(name).pipe(Flag.withDefault(0), Flag.withDescription(`${what}; a free one unless given`))

const shared = {
  host: Flag.String("host").pipe(Flag.withDefault("127.0.0.1"), Flag.withDescription("Where to listen")),
  port: port("port", "Port"),
  controlPort: port("control-port", "Port on which tests steer the simulator"),
  seed: Flag.String("seed").pipe(Flag.withDefault("rookery"), Flag.withDescription("Decides ids and variations"))
}

const timeScale = Flag.Finite("time-scale").pipe(
  Flag.filter(
    (factor) => factor > 0,
    () => "write a factor above 0"
  ),
  Flag.withDefault(1),
  Flag.withDescription("Multiplies the simulator's own times, e.g. 0.1")
)

/** Tells where it listens in one line of JSON, then serves until it is told to stop. */
const serve = (ready: unknown) => Effect.andThen(Console.log(JSON.stringify(ready)), Effect.never)

const cannotListen = ({ message }: { readonly message: string }) =>
  Effect.andThen(Console.error(message), new Failed({ reason: message }))

const cds = Command.make(
  "cds",
  {
    ...shared,
    timeScale,
    name: Flag.String("name").pipe(Flag.withDefault("rookery"), Flag.withDescription("The hatchery that may sign in")),
    region: Flag.String("region").pipe(Flag.withDefault("default"), Flag.withDescription("That hatchery's region")),
    token: Flag.String("token").pipe(Flag.optional, Flag.withDescription("Its token; one is made unless given"))
  },
  ({ name, region, token, ...options }) =>
    Effect.gen(function* () {
      const identity = { name, region, ...(Option.isSome(token) ? { token: token.value } : {}) }
      const { api, apiUrl, controlUrl } = yield* CdsFront.front({ ...options, hatcheries: [identity] })
      return yield* serve({ url: apiUrl, control: controlUrl, hatcheries: api.identities })
    }).pipe(Effect.scoped, Effect.catchTag("ListenFailed", cannotListen))
).pipe(Command.withDescription("Serve a simulated CDS API over HTTP and WebSocket"))

export const simulateCommand = Command.make("simulate").pipe(
  Command.withDescription("Serve a simulator as a process of its own"),
  Command.withSubcommands([cds])
)
