/** The leaf properties of a resource pool and a datastore that the inventory keeps, and what they say (schema/Resources). */
import { Effect, Option, Schema } from "effect"
import type { PoolUsage, Resources } from "../../../schema/Resources.ts"
import type { ObjectUpdate } from "./Updates.ts"
import { Num } from "./Values.ts"

const usagePaths = (kind: "cpu" | "memory") => ({
  max: `runtime.${kind}.maxUsage`,
  used: `runtime.${kind}.overallUsage`,
  unreserved: `runtime.${kind}.unreservedForVm`
})
const cpu = usagePaths("cpu")
const memory = usagePaths("memory")

export const poolPaths: ReadonlyArray<string> = [...Object.values(cpu), ...Object.values(memory)]
export const datastorePaths: ReadonlyArray<string> = ["summary.freeSpace"]

const decode = Schema.decodeUnknownOption(Num)

/** Figures by path, as updates tell them. One that cannot be read is not there. */
export class ResourceProperties {
  private figures = new Map<string, number>()
  private reported = ""

  /** A full re-read starts. */
  begin(): void {
    this.figures = new Map()
  }

  apply({ kind, changeSet, missingSet }: ObjectUpdate): void {
    for (const { name, val } of changeSet) {
      const figure = kind === "leave" ? Option.none() : decode(val)
      if (Option.isSome(figure)) this.figures.set(name, figure.value)
      else this.figures.delete(name)
    }
    for (const { path } of missingSet) this.figures.delete(path)
  }

  /** Says once what cannot be read, and when that changes. */
  get report(): Effect.Effect<void> {
    return Effect.suspend(() => {
      const lost = [...poolPaths, ...datastorePaths].filter((path) => !this.figures.has(path)).join(", ")
      const known = this.reported === lost
      this.reported = lost
      if (known) return Effect.void
      return lost === ""
        ? Effect.logInfo("resource pool and datastore can be read again")
        : Effect.logWarning(`vCenter does not tell ${lost}: no limit comes from there`)
    })
  }

  get read(): Resources {
    return { cpu: this.usage(cpu), memory: this.usage(memory), freeSpace: this.figures.get("summary.freeSpace") }
  }

  private usage(paths: Record<keyof PoolUsage, string>): PoolUsage | undefined {
    const [max, used, unreserved] = [paths.max, paths.used, paths.unreserved].map((path) => this.figures.get(path))
    return max === undefined || used === undefined || unreserved === undefined ? undefined : { max, used, unreserved }
  }
}
