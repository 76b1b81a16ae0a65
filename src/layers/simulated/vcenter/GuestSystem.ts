/** Inside the guests: processes, files, and the DHCP server they all ask. Nothing is kept of a guest in which nothing was started. */
import { Effect } from "effect"
import type { Core } from "./Core.ts"
import type { Machine } from "./Machine.ts"
import type { ProgramRequest, ProgramResult } from "./Options.ts"
import { shutDown } from "./Power.ts"

export interface Process {
  readonly pid: number
  readonly name: string
  readonly owner: string
  readonly commandLine: string
  readonly startedAt: number
  readonly ended: { readonly at: number; readonly exitCode: number } | undefined
}

export type Program = Pick<ProgramRequest, "programPath" | "arguments" | "workingDirectory" | "env"> & {
  readonly user: string
}

interface Guest {
  processes: ReadonlyArray<Process>
  readonly files: Map<string, string>
}

export interface Guests {
  /** Starts the program in the background and answers its pid. */
  readonly start: (machine: Machine, program: Program) => number
  /** Running ones, and ended ones for five minutes. */
  readonly processes: (machine: Machine) => ReadonlyArray<Process>
  readonly file: (machine: Machine, path: string) => string | undefined
  /** A url path under which the file can be read once or more by whoever knows it. */
  readonly offer: (machine: Machine, path: string) => string
  /** The text behind a url that `offer` gave. */
  readonly offered: (url: string) => string | undefined
  /** The power is gone: all processes end, files stay. */
  readonly halt: (machine: Machine) => void
  readonly forget: (machine: Machine) => void
  /** The address that DHCP keeps for that card. */
  readonly lease: (mac: string) => string
}

/** How long Tools remember an ended process. */
const rememberedMs = 5 * 60_000
const firstPid = 1_000

const toNumber = (ip: string): number => ip.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)
const toAddress = (value: number): string => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255).join(".")

export const makeGuests = (core: Core): Guests => {
  const guests = new Map<string, Guest>()
  const leases = new Map<string, string>()
  const offers = new Map<string, { readonly machine: string; readonly path: string }>()
  const returned: Array<string> = []
  let nextLease = toNumber(core.options.dhcpFrom)

  const guestOf = (machine: Machine): Guest => {
    const known = guests.get(machine.ref.value)
    if (known !== undefined) return known
    const guest: Guest = { processes: [], files: new Map() }
    guests.set(machine.ref.value, guest)
    return guest
  }

  const remembered = (guest: Guest) =>
    guest.processes.filter(({ ended }) => ended === undefined || core.now() - ended.at < rememberedMs)

  const end = (machine: Machine, guest: Guest, pid: number, result: ProgramResult) => {
    const ended = { at: core.now(), exitCode: result.exitCode }
    guest.processes = guest.processes.map((one) => (one.pid === pid ? { ...one, ended } : one))
    for (const [path, text] of Object.entries(result.files ?? {})) guest.files.set(path, text)
    if (result.powerOffAfterMs !== undefined) shutDown(core, machine, result.powerOffAfterMs)
  }

  return {
    start: (machine, program) => {
      const guest = guestOf(machine)
      const pid = firstPid + core.nextId()
      const process: Process = {
        pid,
        name: program.programPath.split("/").at(-1) ?? program.programPath,
        owner: program.user,
        commandLine: `"${program.programPath}" ${program.arguments}`,
        startedAt: core.now(),
        ended: undefined
      }
      guest.processes = [...remembered(guest), process]
      const request: ProgramRequest = {
        machine: {
          ref: machine.ref.value,
          name: machine.name,
          instanceUuid: machine.instanceUuid,
          annotation: machine.annotation,
          ip: machine.guest.addresses[0]?.[0]
        },
        pid,
        programPath: program.programPath,
        arguments: program.arguments,
        workingDirectory: program.workingDirectory,
        env: program.env,
        write: (path, text) => guest.files.set(path, text),
        read: (path) => guest.files.get(path)
      }
      core.run(
        `${machine.ref.value}/process/${pid}`,
        core.options.programs(request).pipe(
          Effect.tapCause((cause) => Effect.logError("a simulated guest program failed", cause)),
          Effect.catchDefect(() => Effect.succeed<ProgramResult>({ exitCode: 255 })),
          Effect.map((result) => end(machine, guest, pid, result))
        )
      )
      return pid
    },
    processes: (machine) => {
      const guest = guests.get(machine.ref.value)
      return guest === undefined ? [] : remembered(guest)
    },
    file: (machine, path) => guests.get(machine.ref.value)?.files.get(path),
    offer: (machine, path) => {
      const token = core.uuid()
      offers.set(token, { machine: machine.ref.value, path })
      return `/guestFile?id=${core.nextId()}&token=${token}`
    },
    offered: (url) => {
      const offer = offers.get(/[?&]token=([^&]+)/.exec(url)?.[1] ?? "")
      return offer === undefined ? undefined : guests.get(offer.machine)?.files.get(offer.path)
    },
    halt: (machine) => {
      const guest = guests.get(machine.ref.value)
      if (guest === undefined) return
      for (const { pid } of guest.processes) core.stop(`${machine.ref.value}/process/${pid}`)
      guest.processes = []
    },
    forget: (machine) => {
      guests.delete(machine.ref.value)
      for (const [token, offer] of offers) if (offer.machine === machine.ref.value) offers.delete(token)
      for (const { mac } of machine.cards) {
        const ip = leases.get(mac)
        if (ip !== undefined) returned.push(ip)
        leases.delete(mac)
      }
    },
    lease: (mac) => {
      const ip = leases.get(mac) ?? returned.shift() ?? toAddress(nextLease++)
      leases.set(mac, ip)
      return ip
    }
  }
}
