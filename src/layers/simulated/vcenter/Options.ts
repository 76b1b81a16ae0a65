/** How a simulated vCenter is set up. Everything has a default, so that `{}` is a working one. */
import { Effect } from "effect"

/** Milliseconds of the vCenter's own clock; each is varied by `jitter` and multiplied by `scale`. */
export interface Timings {
  readonly cloneMs: number
  readonly reconfigureMs: number
  readonly powerOnMs: number
  readonly powerOffMs: number
  readonly destroyMs: number
  /** From power on to running Tools. */
  readonly bootMs: number
  readonly customizationMs: number
  /** From running Tools, or the end of the customization, to an address. */
  readonly ipMs: number
  readonly shutdownMs: number
  /** 0.2 means 20 % more or less. */
  readonly jitter: number
  readonly scale: number
}

export interface TemplateOptions {
  readonly name: string
  readonly cpus: number
  readonly memoryMB: number
  readonly nics: number
  /** With a current snapshot, which a linked clone needs. */
  readonly snapshot: boolean
  readonly guestUser: string
  readonly guestPassword: string
}

/** What a program in a guest is told. */
export interface ProgramRequest {
  readonly machine: {
    readonly ref: string
    readonly name: string
    readonly instanceUuid: string
    readonly annotation: string
    readonly ip: string | undefined
  }
  readonly pid: number
  readonly programPath: string
  readonly arguments: string
  readonly workingDirectory: string | undefined
  readonly env: Readonly<Record<string, string>>
  /** Writes a guest file while the program runs; it can be read by a file transfer at once. */
  readonly write: (path: string, text: string) => void
  /** A guest file; undefined: there is none. */
  readonly read: (path: string) => string | undefined
}

export interface ProgramResult {
  readonly exitCode: number
  readonly files?: Readonly<Record<string, string>>
  /** The program asked its machine to shut down this many milliseconds after its end. */
  readonly powerOffAfterMs?: number
}

/** What a program started in a guest does. Its fiber ends with the power of its machine. */
export type Programs = (request: ProgramRequest) => Effect.Effect<ProgramResult>

export interface SimVCenterOptions {
  /** The same seed gives the same behaviour, byte for byte. */
  readonly seed: string | number
  readonly user: string
  readonly password: string
  readonly datacenter: string
  readonly cluster: string
  readonly hosts: number
  /** Figures of the root resource pool. Powered-on machines may use `memoryMB` in all. */
  readonly pool: { readonly cpuMHz: number; readonly memoryMB: number; readonly unreservedMB: number }
  readonly network: string
  readonly portgroup: string
  readonly datastores: ReadonlyArray<string>
  readonly templates: ReadonlyArray<TemplateOptions>
  readonly timings: Timings
  /** Tasks at once; further ones stay `queued`. */
  readonly concurrency: number
  /** At most this many objects in one page of the property collector, whatever the caller asks for. */
  readonly pageSize: number
  /** First address that DHCP gives. */
  readonly dhcpFrom: string
  /** Share of boots that also report a docker bridge and IPv6 addresses, and a `guest.ipAddress` that is the bridge's. */
  readonly guestNoise: number
  readonly programs: Programs
}

export interface PartialOptions extends Partial<Omit<SimVCenterOptions, "timings">> {
  readonly timings?: Partial<Timings>
}

/** The program of a guest in which nothing is played: it ends well at once. */
const doNothing: Programs = () => Effect.succeed({ exitCode: 0 })

export const defaults: SimVCenterOptions = {
  seed: "rookery",
  user: "rookery@vsphere.local",
  password: "rookery",
  datacenter: "DC0",
  cluster: "DC0_C0",
  hosts: 3,
  pool: { cpuMHz: 1_000_000, memoryMB: 4_194_304, unreservedMB: 4_194_304 },
  network: "VM Network",
  portgroup: "DC0_DVPG0",
  datastores: ["LocalDS_0"],
  templates: [
    {
      name: "debian12",
      cpus: 2,
      memoryMB: 4096,
      nics: 1,
      snapshot: true,
      guestUser: "worker",
      guestPassword: "worker"
    }
  ],
  timings: {
    cloneMs: 20_000,
    reconfigureMs: 500,
    powerOnMs: 2_000,
    powerOffMs: 1_000,
    destroyMs: 2_000,
    bootMs: 15_000,
    customizationMs: 10_000,
    ipMs: 3_000,
    shutdownMs: 5_000,
    jitter: 0.2,
    scale: 1
  },
  concurrency: 64,
  pageSize: 1_000,
  dhcpFrom: "10.99.0.10",
  guestNoise: 0.25,
  programs: doNothing
}
