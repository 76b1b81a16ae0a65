/** What CDS would read from a git repository: V2 worker models and workflows. There is no git server here; `ascode` writes them. */
import { Effect } from "effect"
import { mkdtempSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { HarnessError } from "../harness/HarnessError.ts"
import * as Daemon from "./Daemon.ts"
import type { Engine } from "./Engine.ts"
import type { Programs } from "./Programs.ts"
import * as Seed from "./Seed.ts"

const vcs = "git"
const repository = "acme/ci"

/** A V2 worker model on vSphere. */
export interface ModelV2 {
  readonly name: string
  readonly spec: {
    /** A template of the vCenter. */
    readonly image: string
    readonly flavor?: string
  }
}

/** How V2 jobs name a model, and V1 requirements with `@master` behind it. */
export const pathOf = (project: string, model: string): string => `${project}/${vcs}/${repository}/${model}`

/** Puts the models on the master branch of the project's repository and starts a run of each workflow, in CDS's own words. Answers the runs' ids. */
export const write = (
  programs: Programs,
  engine: Engine,
  project: string,
  models: ReadonlyArray<ModelV2>,
  runs: ReadonlyArray<unknown> = []
): Effect.Effect<ReadonlyArray<string>, HarnessError> =>
  Effect.gen(function* () {
    const document = {
      project,
      vcs,
      repository,
      user: Seed.user,
      models: models.map((model) => ({ osarch: "linux/amd64", type: "vsphere", ...model })),
      runs
    }
    const path = join(mkdtempSync(join(dirname(engine.config), "ascode-")), "document.json")
    writeFileSync(path, JSON.stringify(document))
    const said = yield* Daemon.run(programs.ascode, ["-config", engine.config, path])
    const answer = said.split("\n").findLast((line) => line.startsWith('{"runs"'))
    if (answer === undefined) return yield* new HarnessError({ message: `ascode answered nothing:\n${said}` })
    return (JSON.parse(answer) as { readonly runs: ReadonlyArray<string> }).runs
  })
