// The compiler copies only TypeScript; what the program reads at run time beside its modules is copied here.
import { spawnSync } from "node:child_process"
import { cpSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"

const assets = /\.(wsdl|xsd|sh)$/
for (const entry of readdirSync("src", { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !assets.test(entry.name)) continue
  const from = join(entry.parentPath, entry.name)
  cpSync(from, join("dist", from.slice("src/".length)))
}

// What `/mon/version` tells beside the version.
const git = spawnSync("git", ["rev-parse", "--short=12", "HEAD"], { encoding: "utf8" })
writeFileSync(
  "dist/build.json",
  JSON.stringify({ gitHash: git.status === 0 ? git.stdout.trim() : "", buildTime: new Date().toISOString() })
)
