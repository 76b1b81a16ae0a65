// `npm install` leaves out of the lock file what the registry in use does not have, such as the binaries of other platforms, and `npm ci`
// then refuses the lock. This adds their entries (version, os, cpu, libc); run it after each change of the dependencies.
import { execFileSync } from "node:child_process"
import { readFileSync, writeFileSync } from "node:fs"

const lock = JSON.parse(readFileSync("package-lock.json", "utf8"))

/** What `npm ci` misses, as its message names it. */
const missing = () => {
  try {
    execFileSync("npm", ["ci", "--dry-run", "--ignore-scripts"], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"]
    })
    return []
  } catch (error) {
    return [...`${error.stdout}${error.stderr}`.matchAll(/Missing: (\S+?)@\S* from lock file/g)].map(([, name]) => name)
  }
}

for (const name of missing()) {
  const parent = Object.values(lock.packages).find((entry) => entry.optionalDependencies?.[name] !== undefined)
  const [, os, cpu, libc] =
    /-(android|darwin|freebsd|linux|openharmony|win32)-([a-z0-9]+)(?:-([a-z]+))?/.exec(name) ?? []
  if (parent === undefined || os === undefined) throw new Error(`${name} is not an optional package of a platform`)
  lock.packages[`node_modules/${name}`] = {
    version: parent.optionalDependencies[name],
    cpu: [cpu],
    dev: true,
    ...(libc?.startsWith("musl") ? { libc: ["musl"] } : libc?.startsWith("gnu") ? { libc: ["glibc"] } : {}),
    optional: true,
    os: [os]
  }
}

lock.packages = Object.fromEntries(Object.entries(lock.packages).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
writeFileSync("package-lock.json", `${JSON.stringify(lock, null, 2)}\n`)
