// The compiler copies only TypeScript; what the program reads at run time beside its modules is copied here.
import { cpSync, readdirSync } from "node:fs"
import { join } from "node:path"

const assets = /\.(wsdl|xsd|sh)$/
for (const entry of readdirSync("src", { recursive: true, withFileTypes: true })) {
  if (!entry.isFile() || !assets.test(entry.name)) continue
  const from = join(entry.parentPath, entry.name)
  cpSync(from, join("dist", from.slice("src/".length)))
}
