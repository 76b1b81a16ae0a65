/** V2 worker models as code, by their reference (cds-contract 7.2). */
import { Effect } from "effect"
import { CdsError } from "../../../schema/Errors.ts"
import type { Model } from "../../../schema/Job.ts"
import { decodeBody } from "../decode.ts"
import { segment } from "../segment.ts"
import type { Session } from "../Session.ts"
import { toModel, WireModel } from "../wire/JobV2.ts"

const decodeModel = decodeBody("modelAsCode", WireModel)

/** Where CDS looks when the reference names no branch. */
const defaultBranch = "master"

/** A branch or a tag, by its name or as git writes it in full. */
const revision = (ref: string): string =>
  ref.startsWith("refs/tags/")
    ? `tag=${encodeURIComponent(ref.slice("refs/tags/".length))}`
    : `branch=${encodeURIComponent(ref.replace(/^refs\/heads\//, ""))}`

/** The path of the model that `PROJECT/vcs/repository/model[@branch]` names; a repository's name may have slashes. Undefined where it is none. */
const pathOf = (reference: string): string | undefined => {
  const [, path = "", ref] = /^([^@]*)(?:@(.+))?$/.exec(reference.toWellFormed()) ?? []
  const parts = path.split("/")
  if (parts.length < 4 || parts.includes("")) return undefined
  const [project = "", vcs = ""] = parts
  const [repository, model] = [parts.slice(2, -1).join("/"), parts.at(-1) ?? ""]
  const where = `project/${segment(project)}/vcs/${segment(vcs)}/repository/${segment(repository)}`
  return `/v2/${where}/workermodel/${segment(model)}?${revision(ref ?? defaultBranch)}&withSecrets=true`
}

const refused = (message: string) => new CdsError({ call: "modelAsCode", kind: "refused", message })

export const make = (session: Pick<Session, "call">) => {
  const modelAsCode = Effect.fnUntraced(function* (reference: string): Effect.fn.Return<Model, CdsError> {
    const path = pathOf(reference)
    if (path === undefined) {
      return yield* refused(
        `"${reference}" is no reference to a worker model: write PROJECT/vcs/repository/model@branch`
      )
    }
    const answer = yield* Effect.mapError(
      session.call({ name: "modelAsCode", method: "GET", path }),
      ({ error }) => error
    )
    return toModel(yield* decodeModel(answer)) ?? (yield* refused(`the worker model "${reference}" is empty`))
  })

  return { modelAsCode }
}
