/** What is running. The build writes `build.json` beside the program; from the sources there is none. */
import { readFileSync } from "node:fs"

interface Build {
  readonly version: string
  readonly gitHash: string
  readonly buildTime: string
}

const read = (name: string): Partial<Build> => {
  try {
    return JSON.parse(readFileSync(new URL(name, import.meta.url), "utf8"))
  } catch {
    return {}
  }
}

const { version: packageVersion = "0.0.0" } = read("../../package.json")
const { gitHash = "", buildTime = "" } = read("../build.json")

export const version = packageVersion
export const build = { gitHash, buildTime }
