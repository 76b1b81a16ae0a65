/** The configuration in force, typed, defaults applied, durations in milliseconds. `Config.ts` reads it from the CDS engine's TOML file. */
import type { Redacted } from "effect"
import type { Sizing } from "./Machine.ts"

export interface TlsSettings {
  /** PEM text of a CA bundle, in addition to the system's. */
  readonly ca: string | undefined
  /** SHA-1 or SHA-256 fingerprint of the server's certificate, hex with or without colons; when set it decides alone. */
  readonly thumbprint: string | undefined
  /** No verification at all; only when it is set explicitly. */
  readonly insecure: boolean
}

export interface CdsSettings {
  /** `commonConfiguration.name` */
  readonly name: string
  /** `commonConfiguration.api.http.url` */
  readonly apiUrl: string
  readonly apiInsecure: boolean
  /** `commonConfiguration.api.tokenV2`: the V2 consumer's. Absent: no V2 API. */
  readonly tokenV2: Redacted.Redacted<string> | undefined
  /** `commonConfiguration.api.token`: the V1 consumer's. Absent: no V1 API. */
  readonly token: Redacted.Redacted<string> | undefined
  readonly requestTimeoutMs: number
  readonly maxHeartbeatFailures: number
  /** `commonConfiguration.url`, told to CDS at signin. */
  readonly url: string
  /** PEM, PKCS#1 or PKCS#8. */
  readonly rsaPrivateKey: Redacted.Redacted<string>
  readonly osArch: ReadonlyArray<string>
  readonly cdn: { readonly httpUrl: string; readonly tcpUrl: string; readonly tcpTls: boolean }
  readonly disableV2QueuePolling: boolean
  readonly pollIntervalMs: number
  readonly heartbeatIntervalMs: number
  /** The configuration without secrets, as it is sent at signin. */
  readonly publicConfig: unknown
}

export interface WorkerSettings {
  readonly basedir: string
  /** `provision.workerApiHttp`, else the api's. */
  readonly apiUrl: string
  readonly apiInsecure: boolean
  /** `provision.workerCdn`; empty strings fall back to the hatchery's CDN. */
  readonly cdn: { readonly httpUrl: string; readonly tcpUrl: string; readonly tcpTls: boolean }
  readonly injectEnvVars: Readonly<Record<string, string>>
  readonly log: {
    readonly level: string
    readonly graylog: {
      readonly host: string
      readonly port: number
      readonly extraKey: string
      readonly extraValue: string
    }
    readonly syslog: {
      readonly host: string
      readonly port: number
      readonly protocol: string
      readonly extraTag: string
    }
  }
}

/** One pool of addresses with its gateway and mask (`networks[]`, or the three legacy keys as one entry). */
export interface NetworkSettings {
  /** As written, e.g. `10.0.0.0/24,10.0.1.0/25`. */
  readonly ipRange: string
  readonly gateway: string | undefined
  readonly subnetMask: string
}

export interface GuestCredential {
  /** Template name (`modelVMWare`). */
  readonly template: string
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

export interface VSphereSettings {
  /** Base address: scheme, host, port; path `/sdk` unless given. `endpoint` in the file, https unless it says otherwise. */
  readonly endpoint: string
  readonly user: string
  readonly password: Redacted.Redacted<string>
  readonly datacenter: string
  /** Empty = the only one. The same for the network; an empty folder is the datacenter's root. */
  readonly datastore: string
  readonly network: string
  /** Empty = the only one, or the only one of the cluster. */
  readonly resourcePool: string
  readonly folder: string
  /** Whose resource pools and hosts are meant. Empty = all. */
  readonly cluster: string
  /** Empty = vCenter chooses one of the resource pool's. */
  readonly host: string
  readonly cardName: string
  readonly tls: TlsSettings
  readonly networks: ReadonlyArray<NetworkSettings>
  readonly dns: ReadonlyArray<string>
}

/** Login for machines of a V1 model (`models[].modelPath`). */
export interface ModelCredential {
  /** `group/name` */
  readonly modelPath: string
  readonly username: string
  readonly password: Redacted.Redacted<string>
}

/** How many ready machines to keep of one V1 model (`workerProvisioning[].modelPath`). */
export interface ModelProvisionSettings {
  /** `group/name` */
  readonly modelPath: string
  readonly number: number
}

/** A V2 model for V1 jobs that name none (seed 001 sections 3.4 and 6.8). */
export interface DefaultModelV2 {
  /** `PROJECT/vcs/repository/model[@branch]` */
  readonly model: string
  readonly binaries: ReadonlyArray<string>
}

/** How many ready machines to keep of one template. */
export interface ProvisionSettings {
  readonly template: string
  readonly number: number
}

/** Deadlines and intervals that are not in the CDS file have their defaults here too, so that a test can scale them. */
export interface TimeSettings {
  readonly workerTtlMs: number
  readonly workerRegistrationTtlMs: number
  readonly provisioningIntervalMs: number
  readonly reaperIntervalMs: number
  /** Between two looks for V1 models that need registration (`provision.registerFrequency`). */
  readonly registerMs: number
  /** A V1 template, from its clone to its power-off. */
  readonly templateMs: number
  readonly finishedWorkerGraceMs: number
  /** How long a call of the process before may still be under way when this one has started. */
  readonly lateCallMs: number
  /** One clone, from call to the task's end. */
  readonly cloneMs: number
  /** One power, reconfigure or destroy task. */
  readonly taskMs: number
  readonly guestOperationsMs: number
  readonly guestAddressMs: number
  readonly guestProbeMs: number
  readonly shutdownMs: number
  /** How old the view may be before it is doubted. */
  readonly viewAgeMs: number
  /** How long a stop may take before the process ends anyway. */
  readonly drainMs: number
}

export interface SettingsShape {
  readonly cds: CdsSettings
  readonly worker: WorkerSettings
  readonly vsphere: VSphereSettings
  readonly times: TimeSettings
  readonly http: { readonly addr: string; readonly port: number }
  /** 0 = unlimited. */
  readonly maxWorker: number
  readonly maxConcurrentProvisioning: number
  /** Clones at once (`workerProvisioningPoolSize`, at least 1). */
  readonly poolSize: number
  readonly maxAttempts: number
  /** Registrations of V1 models at once; -1: none are done. */
  readonly maxConcurrentRegistering: number
  /** `provision.region`, for V1 jobs; empty = none. The V2 region comes from CDS. */
  readonly region: string
  /** V1 jobs that ask for no region are left to others. */
  readonly ignoreJobWithNoRegion: boolean
  readonly provision: ReadonlyArray<ProvisionSettings>
  readonly modelProvision: ReadonlyArray<ModelProvisionSettings>
  readonly credentials: ReadonlyArray<GuestCredential>
  readonly modelCredentials: ReadonlyArray<ModelCredential>
  /** The first that fits is taken, so their order matters. */
  readonly defaultWorkerModelsV2: ReadonlyArray<DefaultModelV2>
  /** `models[].preStartScript` by template: awaited before the worker starts. */
  readonly preStartScripts: ReadonlyMap<string, string>
  readonly flavors: ReadonlyArray<Sizing & { readonly name: string }>
  readonly defaultFlavor: string
  readonly maxCpus: number
  readonly maxMemoryMB: number
  readonly countSmallerFlavorToKeep: number
  /** How many owned machines may go at once without our destroy before the view is doubted. */
  readonly maxUnexplainedGone: number
  /** Space that a clone has to find on the datastore. */
  readonly minFreeDatastoreGB: number
}
