#!/usr/bin/env node
/** Looks at the Node version before anything of the program is loaded: an older one cannot even load Effect. */

/** Effect 4.1 needs it. */
const needed = [22, 19] as const

const [major = 0, minor = 0] = process.versions.node.split(".").map(Number)
if (major < needed[0] || (major === needed[0] && minor < needed[1])) {
  process.stderr.write(
    `rookery needs Node ${needed.join(".")} or newer and this is ${process.versions.node}; "npm start" uses the right one\n`
  )
  process.exitCode = 2
} else {
  const { run } = await import("./cli/rookery.ts")
  run(process.argv.slice(2))
}
