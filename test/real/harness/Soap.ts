/**
 * A vSphere client of plain strings for judges: it shares no code with the program under test, so that what it sees is what
 * anybody else sees. Plain HTTP only.
 */
import { Effect, identity, type Scope } from "effect"
import { explained, failure, reading } from "./asking.ts"
import { HarnessError } from "./HarnessError.ts"
import type * as Process from "./Process.ts"

export interface Session {
  /** Sends one method to a managed object, `type:value`, with the inner XML of its arguments, and answers the inner XML of the body. */
  readonly call: (method: string, object: string, inner?: string) => Effect.Effect<string, HarnessError>
  /** Every machine of the vCenter. */
  readonly machines: Effect.Effect<ReadonlyArray<Listed>, HarnessError>
  /** The reference value of the only object of a type, or of the one with that name. */
  readonly find: (type: string, name?: string) => Effect.Effect<string, HarnessError>
  /** Waits for a task to end and answers the value of its result; fails with the name of its fault. */
  readonly task: (ref: string) => Effect.Effect<string | undefined, HarnessError>
}

export interface Listed {
  readonly ref: string
  readonly name: string
  readonly annotation: string
  readonly power: string
}

/** Logs in at a vCenter's url; logs out with the scope. Where its process is given, an error tells what became of it. */
export const login = (
  url: string,
  account: { readonly user: string; readonly password: string },
  process?: Process.Running
): Effect.Effect<Session, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    let cookie = ""
    const call: Session["call"] = (method, object, inner = "") =>
      Effect.tryPromise({
        try: async (signal) => {
          const response = await fetch(url, {
            method: "POST",
            signal,
            headers: { "content-type": "text/xml; charset=utf-8", soapaction: "urn:vim25/7.0", cookie },
            body: envelope(method, object, inner)
          })
          cookie = response.headers.get("set-cookie")?.split(";")[0] ?? cookie
          const body = content("(?:\\w+:)?Body", await response.text())[0] ?? ""
          if (!response.ok) throw new Error(content("faultstring", body)[0] || faultName(body))
          return body
        },
        catch: (cause) => failure(method, cause)
      }).pipe(process === undefined ? identity : explained(process))
    const services = yield* call("RetrieveServiceContent", "ServiceInstance:ServiceInstance")
    const service = (name: string, type: string) => `${type}:${content(name, services)[0] ?? ""}`
    const sessions = service("sessionManager", "SessionManager")
    yield* Effect.acquireRelease(
      call("Login", sessions, element("userName", account.user) + element("password", account.password)),
      () => Effect.ignore(call("Logout", sessions))
    )
    const collector = service("propertyCollector", "PropertyCollector")
    const views = service("viewManager", "ViewManager")
    const rootFolder = content("rootFolder", services)[0] ?? ""

    const read = (type: string, paths: ReadonlyArray<string>) =>
      Effect.gen(function* () {
        const created = yield* call(
          "CreateContainerView",
          views,
          `<container type="Folder">${rootFolder}</container>${element("type", type)}<recursive>true</recursive>`
        )
        const view = content("returnval", created)[0] ?? ""
        const answer = yield* call("RetrieveProperties", collector, viewSpec(view, type, paths))
        yield* call("DestroyView", `ContainerView:${view}`)
        return content("returnval", answer).map(properties)
      }).pipe(reading)

    const state = (ref: string) =>
      call("RetrieveProperties", collector, objectSpec("Task", ref, ["info"])).pipe(
        reading,
        Effect.map((answer) => content("val", answer)[0] ?? "")
      )
    return {
      call,
      machines: Effect.map(read("VirtualMachine", ["name", "config.annotation", "runtime.powerState"]), (found) =>
        found.map(({ ref, values }) => ({
          ref,
          name: values.get("name") ?? "",
          annotation: values.get("config.annotation") ?? "",
          power: values.get("runtime.powerState") ?? ""
        }))
      ),
      find: (type, name) =>
        Effect.flatMap(read(type, ["name"]), (found) => {
          const matching = found.filter(({ values }) => name === undefined || values.get("name") === name)
          return matching.length === 1
            ? Effect.succeed(matching[0]!.ref)
            : Effect.fail(new HarnessError({ message: `${matching.length} of ${type} ${name ?? ""}` }))
        }),
      task: Effect.fnUntraced(function* (ref: string) {
        while (true) {
          const info = yield* state(ref)
          const [phase] = content("state", info)
          if (phase === "success") return content("result", info)[0]
          if (phase === "error") return yield* new HarnessError({ message: faultName(content("error", info)[0] ?? "") })
          yield* Effect.sleep(20)
        }
      })
    }
  })

const envelope = (method: string, object: string, inner: string): string => {
  const [type, ...value] = object.split(":")
  return (
    `<?xml version="1.0"?><Envelope xmlns="http://schemas.xmlsoap.org/soap/envelope/" ` +
    `xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xmlns:xsd="http://www.w3.org/2001/XMLSchema"><Body>` +
    `<${method} xmlns="urn:vim25"><_this type="${type}">${value.join(":")}</_this>${inner}</${method}></Body></Envelope>`
  )
}

const escape = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;")

const unescape = (text: string): string =>
  text.replaceAll(/&(?:#(x?)([0-9a-f]+)|(\w+));/gi, (whole, hex: string, code: string, name: string) =>
    code === undefined ? (entities[name] ?? whole) : String.fromCodePoint(Number.parseInt(code, hex === "" ? 10 : 16))
  )

const entities: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'" }

export const element = (name: string, text: string): string => `<${name}>${escape(text)}</${name}>`

/** What stands in each element of that name; for elements that do not contain their own kind. */
export const content = (name: string, xml: string): ReadonlyArray<string> =>
  [...xml.matchAll(new RegExp(`<${name}(?:\\s[^>]*)?>([\\s\\S]*?)</${name}>`, "g"))].map(([, inner]) => inner!)

const faultName = (xml: string): string => /xsi:type="(\w+)"/.exec(xml)?.[1] ?? "an unknown fault"

const propertySpec = (type: string, paths: ReadonlyArray<string>) =>
  `<propSet>${element("type", type)}${paths.map((path) => element("pathSet", path)).join("")}</propSet>`

const objectSpec = (type: string, ref: string, paths: ReadonlyArray<string>) =>
  `<specSet>${propertySpec(type, paths)}<objectSet><obj type="${type}">${ref}</obj></objectSet></specSet>`

const viewSpec = (view: string, type: string, paths: ReadonlyArray<string>) =>
  `<specSet>${propertySpec(type, paths)}<objectSet><obj type="ContainerView">${view}</obj><skip>true</skip>` +
  `<selectSet xsi:type="TraversalSpec"><type>ContainerView</type><path>view</path><skip>false</skip></selectSet>` +
  `</objectSet></specSet>`

const properties = (object: string) => ({
  ref: content("obj", object)[0] ?? "",
  values: new Map(
    content("propSet", object).map((set) => [content("name", set)[0] ?? "", unescape(content("val", set)[0] ?? "")])
  )
})
