/**
 * The scripts of a V1 worker model (`pre_cmd`, `cmd`, `post_cmd`) hold Go template actions (cds-contract 9.5). They are rendered as plain text,
 * so that a shell gets what its author wrote; the original escapes them as HTML (defect 43). What is understood: `{{.Name}}`,
 * `{{if .Name}} … {{else if .Name}} … {{else}} … {{end}}`, `not`, comments, and the trim markers `{{-` and `-}}`.
 */
import { Data, Result } from "effect"

/** An action that is not understood, or a variable that CDS does not have. `message` says which, and what there is. */
export class ScriptTemplateError extends Data.TaggedError("ScriptTemplateError")<{ readonly message: string }> {}

/** Values by name; a flag is printed as `true` or `false`. */
export type Variables = Readonly<Record<string, string | boolean>>

type Part = { readonly _tag: "Text"; readonly text: string } | { readonly _tag: "Action"; readonly code: string }

/** Texts and actions in turn; a marker eats the blanks on its side. */
const partsOf = (source: string): ReadonlyArray<Part> => {
  const parts: Array<Part> = []
  const action = /\{\{(- )?\s*((?:\/\*[\s\S]*?\*\/|[\s\S])*?)\s*( -)?\}\}/g
  let end = 0
  let trims = false
  for (const match of source.matchAll(action)) {
    const text = source.slice(end, match.index)
    const left = trims ? text.trimStart() : text
    parts.push({ _tag: "Text", text: match[1] === undefined ? left : left.trimEnd() })
    parts.push({ _tag: "Action", code: match[2] ?? "" })
    trims = match[3] !== undefined
    end = match.index + match[0].length
  }
  const rest = source.slice(end)
  parts.push({ _tag: "Text", text: trims ? rest.trimStart() : rest })
  return parts
}

/** An open `if`: whether one of its branches was taken, whether the present one is, and whether there is any in the text around. */
interface Branch {
  readonly around: boolean
  taken: boolean
  on: boolean
  last: boolean
}

const fail = (message: string): never => {
  throw new ScriptTemplateError({ message })
}

const valueOf = (variables: Variables, name: string): string | boolean =>
  Object.hasOwn(variables, name)
    ? variables[name]!
    : fail(`{{.${name}}} is no variable of a worker script; there are ${Object.keys(variables).join(", ")}`)

const holds = (variables: Variables, condition: string): boolean => {
  const [, not, name] =
    /^(not\s+)?\.(\w+)$/.exec(condition) ?? fail(`{{if ${condition}}} is not understood: write {{if .Name}}`)
  const value = valueOf(variables, name!)
  return (value !== "" && value !== false) !== (not !== undefined)
}

const interpret = (parts: ReadonlyArray<Part>, variables: Variables): string => {
  const open: Array<Branch> = []
  let text = ""
  const printing = () => open.at(-1)?.on ?? true

  const inBranch = (code: string): Branch => open.at(-1) ?? fail(`{{${code}}} stands without {{if}}`)

  const next = (code: string, condition: string | undefined) => {
    const branch = inBranch(code)
    if (branch.last) fail(`{{${code}}} stands after {{else}}`)
    branch.on = branch.around && !branch.taken && (condition === undefined || holds(variables, condition))
    branch.taken ||= branch.on
    branch.last = condition === undefined
  }

  const act = (code: string) => {
    const [, word, rest] = /^(if|else|end)\b\s*([\s\S]*)$/.exec(code) ?? []
    if (code.startsWith("/*")) return
    if (word === "if") {
      const around = printing()
      const on = around && holds(variables, rest ?? "")
      open.push({ around, on, taken: on, last: false })
    } else if (word === "else") {
      next(
        code,
        rest === "" ? undefined : (/^if\s+([\s\S]+)$/.exec(rest ?? "")?.[1] ?? fail(`{{${code}}} is not understood`))
      )
    } else if (word === "end" && rest === "") {
      inBranch(code)
      open.pop()
    } else {
      const name = /^\.(\w+)$/.exec(code)?.[1] ?? fail(`{{${code}}} is not understood: write {{.Name}} or {{if .Name}}`)
      const value = String(valueOf(variables, name))
      if (printing()) text += value
    }
  }

  for (const part of parts) {
    if (part._tag === "Action") act(part.code)
    else if (printing()) text += part.text
  }
  if (open.length > 0) fail("an {{if}} has no {{end}}")
  return text
}

export const render = (source: string, variables: Variables): Result.Result<string, ScriptTemplateError> =>
  Result.try({
    try: () => interpret(partsOf(source), variables),
    catch: (error) => {
      if (error instanceof ScriptTemplateError) return error
      throw error
    }
  })

/**
 * What a worker script may name (cds-contract 9.5); what has no value is kept for old scripts. `{{.Config}}` is the name of the variable that
 * holds it, so that the worker's token is in no process's arguments; a shell puts the value there, except between single quotes.
 */
export const scriptVariables = (apiUrl: string): Variables => ({
  API: apiUrl,
  Config: "${CDS_CONFIG}",
  FromWorkerImage: true,
  Token: "",
  Name: "",
  BaseDir: "",
  HTTPInsecure: "",
  Model: "",
  Hatchery: "",
  HatcheryName: "",
  WorkflowJobID: "",
  TTL: "",
  GraylogHost: "",
  GraylogPort: "",
  GraylogExtraKey: "",
  GraylogExtraValue: "",
  WorkerBinary: "",
  InjectEnvVars: ""
})
