/** All flows, by name: each file of `flows/` has some. */
import { readdirSync } from "node:fs"
import type { Flow, Flows } from "./Flow.ts"

const folder = new URL("./flows/", import.meta.url)
const modules = await Promise.all(
  readdirSync(folder).map((file): Promise<{ readonly flows: Flows }> => import(new URL(file, folder).href))
)

export const flows: ReadonlyArray<readonly [name: string, flow: Flow]> = modules.flatMap((module) =>
  Object.entries(module.flows)
)
