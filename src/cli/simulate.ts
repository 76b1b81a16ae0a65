/** `rookery simulate`: the simulated CDS API and the simulated vCenter as processes of their own, on real sockets and the real clock. */
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { FetchHttpClient, HttpClient } from "effect/http"
import * as CdsFront from "../layers/simulated/cds/Front.ts"
import { workerProgram } from "../layers/simulated/cds/SimWorker.ts"
import * as VCenterFront from "../layers/simulated/vcenter/Front.ts"
import * as VCenterOptions from "../layers/simulated/vcenter/Options.ts"
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

const tlsFile = (name: string, what: string) =>
  Flag.FileText(name).pipe(Flag.optional, Flag.withDescription(`${what} (PEM file); with it the API speaks TLS`))

const vcenterDefaults = VCenterOptions.defaults

const vcenter = Command.make(
  "vcenter",
  {
    ...shared,
    timeScale,
    foreign: Flag.Int("foreign").pipe(Flag.withDefault(0), Flag.withDescription("Machines of other people")),
    user: Flag.String("user").pipe(Flag.withDefault(vcenterDefaults.user)),
    password: Flag.String("password").pipe(Flag.withDefault(vcenterDefaults.password)),
    datacenter: Flag.String("datacenter").pipe(Flag.withDefault(vcenterDefaults.datacenter)),
    cert: tlsFile("tls-cert", "Certificate"),
    key: tlsFile("tls-key", "Its key")
  },
  ({ timeScale, seed, user, password, datacenter, cert, key, ...options }) =>
    Effect.gen(function* () {
      const client = yield* HttpClient.HttpClient
      const programs = workerProgram(client)
      const tls = Option.getOrUndefined(Option.all({ cert, key }))
      const { url, controlUrl } = yield* VCenterFront.front({
        ...options,
        ...(tls === undefined ? {} : { tls }),
        vcenter: { seed, user, password, datacenter, programs, timings: { scale: timeScale } }
      })
      return yield* serve({ url, control: controlUrl, templates: vcenterDefaults.templates.map(({ name }) => name) })
    }).pipe(Effect.scoped, Effect.catchTag("ServeError", cannotListen), Effect.provide(FetchHttpClient.layer))
).pipe(Command.withDescription("Serve a simulated vCenter over SOAP; its guests run stand-in workers"))

export const simulateCommand = Command.make("simulate").pipe(
  Command.withDescription("Serve a simulator as a process of its own"),
  Command.withSubcommands([vcenter, cds])
)
