/**
 * The control port of a simulated vCenter: JSON over HTTP, by which another process plays tricks and reads the truth.
 *
 * - `GET /state`: `{ now, summary, operations }`, operations with calls, faults and approximate bytes each
 * - `GET /machines`: every machine with name, ref, uuid, annotation, power, connection, addresses, origin
 * - `GET /addresses`: the names of the machines that have each address
 * - `GET /log`: the latest calls, a line of text each
 * - `POST /fault` (a `SimFault`, e.g. `{"_tag":"AnswerLost","operation":"CloneVM_Task"}`), `DELETE /fault` takes back what is still armed
 * - `POST /machines` (`{"count":1000,"prefix":"foreign"}`, see `ForeignOptions`) answers `{ refs }`
 * - `POST /timings` (`{"scale":0.1}`)
 * - `POST /machines/:name/power-on|power-off|destroy|disturb|rename|annotate`, the last two with `{"to":"..."}`: other people's deeds
 *
 * A body that is wrong answers 400 with the reason, an unknown machine 404. All paths stand behind the port's key (`ControlGuard.ts`).
 */
import { Clock, Effect, Layer, Schema } from "effect"
import { HttpRouter, HttpServerRequest, HttpServerResponse } from "effect/http"
import { refusal } from "../ControlGuard.ts"
import { SimFault } from "./FaultBook.ts"
import type { SimVCenterHandle } from "./Handle.ts"
import type { Machine } from "./Machine.ts"
import { Fault } from "./Wire.ts"

const Foreign = Schema.Struct({
  count: Schema.Int,
  prefix: Schema.optionalKey(Schema.String),
  annotation: Schema.optionalKey(Schema.String),
  poweredOn: Schema.optionalKey(Schema.Boolean),
  ip: Schema.optionalKey(Schema.String)
})

const Timings = Schema.Struct({ scale: Schema.Finite })
const To = Schema.Struct({ to: Schema.String })

const json = (body: unknown, status = 200) => HttpServerResponse.jsonUnsafe(body, { status })
const done = HttpServerResponse.empty({ status: 204 })

const body = <A>(schema: Schema.Codec<A, unknown>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
    Effect.flatMap(request.text, Schema.decodeEffect(Schema.fromJsonString(schema), { onExcessProperty: "error" }))
  )

/** A machine as the control port shows it. */
const view = ({ ref, guest, ...machine }: Machine) => ({
  name: machine.name,
  ref: ref.value,
  instanceUuid: machine.instanceUuid,
  annotation: machine.annotation,
  template: machine.template,
  power: machine.power,
  connection: machine.connection,
  cpus: machine.cpus,
  memoryMB: machine.memoryMB,
  origin: machine.origin,
  addresses: guest.addresses.flat()
})

const state = (vcenter: SimVCenterHandle) =>
  Effect.map(Clock.currentTimeMillis, (now) =>
    json({ now, summary: vcenter.summary(), operations: Object.fromEntries(vcenter.traffic.operations()) })
  )

/** Does a deed to the machine of the path: `act` is false when there is none, and may be refused as vCenter refuses. */
const deed = (act: (machine: string, to: string) => boolean, takesText: boolean) =>
  Effect.gen(function* () {
    const { name } = yield* HttpRouter.params
    const { to } = takesText ? yield* body(To) : { to: "" }
    return yield* Effect.try({
      try: () => (act(decodeURIComponent(name ?? ""), to) ? done : json({ message: `no machine ${name}` }, 404)),
      catch: (error) => (error instanceof Fault ? error : new Fault({ fault: "SystemError", message: String(error) }))
    })
  }).pipe(Effect.catchTag("Fault", ({ fault, message }) => Effect.succeed(json({ fault, message }, 409))))

const routes = (vcenter: SimVCenterHandle) => {
  const { others } = vcenter
  return [
    HttpRouter.route("GET", "/state", state(vcenter)),
    HttpRouter.route(
      "GET",
      "/machines",
      Effect.sync(() => json(vcenter.machines().map(view)))
    ),
    HttpRouter.route(
      "GET",
      "/addresses",
      Effect.sync(() => json(Object.fromEntries(vcenter.addresses())))
    ),
    HttpRouter.route(
      "GET",
      "/log",
      Effect.sync(() => HttpServerResponse.text(vcenter.traffic.lines().join("\n")))
    ),
    HttpRouter.route(
      "POST",
      "/fault",
      body(Schema.toEncoded(SimFault)).pipe(Effect.flatMap(vcenter.inject), Effect.as(done))
    ),
    HttpRouter.route(
      "DELETE",
      "/fault",
      Effect.sync(() => (vcenter.clearFaults(), done))
    ),
    HttpRouter.route(
      "POST",
      "/machines",
      Effect.map(body(Foreign), (options) => json({ refs: vcenter.addForeign(options).map(({ value }) => value) }))
    ),
    HttpRouter.route(
      "POST",
      "/timings",
      Effect.map(body(Timings), ({ scale }) => (vcenter.scale(scale), done))
    ),
    HttpRouter.route("POST", "/machines/:name/power-on", deed(others.powerOn, false)),
    HttpRouter.route("POST", "/machines/:name/power-off", deed(others.powerOff, false)),
    HttpRouter.route("POST", "/machines/:name/destroy", deed(others.destroy, false)),
    HttpRouter.route("POST", "/machines/:name/disturb", deed(others.disturb, false)),
    HttpRouter.route("POST", "/machines/:name/rename", deed(others.rename, true)),
    HttpRouter.route("POST", "/machines/:name/annotate", deed(others.annotate, true))
  ]
}

/** Hands on what passes the guard of control ports. */
const guarded = <E, R>(handler: Effect.Effect<HttpServerResponse.HttpServerResponse, E, R>) =>
  Effect.flatMap(HttpServerRequest.HttpServerRequest, ({ headers }) => {
    const message = refusal(headers)
    return message === undefined ? handler : Effect.succeed(json({ message }, 403))
  })

/** The routes behind the key, each answering a wrong body with 400. */
export const control = (vcenter: SimVCenterHandle, key: string) =>
  HttpRouter.addAll(
    routes(vcenter).map((route) =>
      HttpRouter.prefixRoute(
        {
          ...route,
          handler: guarded(
            Effect.catchTags(route.handler, {
              SchemaError: (error) => Effect.succeed(json({ message: error.message }, 400)),
              HttpServerError: (error) => Effect.succeed(json({ message: error.message }, 400))
            })
          )
        },
        `/${key}`
      )
    )
  ).pipe(Layer.orDie)
