/** The Go hatchery of the same engine, `hatchery:vsphere` 0.57.0, as a process: for comparisons, and to hand machines over to and from. */
import { Effect, type Scope } from "effect"
import { generateKeyPairSync } from "node:crypto"
import { writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { HarnessError } from "../harness/HarnessError.ts"
import type * as Process from "../harness/Process.ts"
import * as Vcenter from "../harness/Vcenter.ts"
import * as Daemon from "./Daemon.ts"
import { logsOf } from "./Folder.ts"
import { programs } from "./Programs.ts"
import type { RealCds } from "./RealCds.ts"

export interface Options {
  readonly cds: RealCds
  /** Started with `-tls`: the Go hatchery speaks nothing but https, and verifies. */
  readonly vcenter: Vcenter.Vcenter
  /** Machines kept ready of the template `debian12`; 1 unless given. */
  readonly ready?: number
  /** Without a range each provisioning of the Go hatchery panics. It takes network and gateway addresses as well. */
  readonly ipRange?: string
  /** More lines of `[hatchery.vsphere]`, for one of the two only: each ignores what it does not know. */
  readonly more?: string
}

const rsaPrivateKey = generateKeyPairSync("rsa", { modulusLength: 2048 })
  .privateKey.export({ type: "pkcs1", format: "pem" })
  .toString()

/** Writes a configuration that both hatcheries read beside the CDS's own files, and answers its path. */
export const configFile = (name: string, options: Options): Effect.Effect<string, HarnessError> =>
  Effect.gen(function* () {
    const { cds, vcenter, ready = 1, ipRange = "10.0.0.0/28", more = "" } = options
    if (vcenter.tls === undefined)
      return yield* new HarnessError({ message: "the vCenter must be started with -tls for the Go hatchery" })
    const folder = dirname(cds.engine.config)
    const path = join(folder, name)
    writeFileSync(authorityOf(path), vcenter.tls.pem)
    writeFileSync(path, toml(cds, new URL(vcenter.url).host, basename(authorityOf(path)), ready, ipRange, more))
    return path
  })

/** The vCenter's certificate, beside the configuration. */
const authorityOf = (config: string): string => `${config}.pem`

const toml = (
  cds: RealCds,
  endpoint: string,
  authority: string,
  ready: number,
  ipRange: string,
  more: string
): string => `[log]
level = "info"
[hatchery.vsphere]
user = "${Vcenter.account.user}"
password = "${Vcenter.account.password}"
endpoint = "${endpoint}"
datacenterString = "DC0"
networkString = "VM Network"
cardName = "e1000"
iprange = "${ipRange}"
gateway = "10.0.0.1"
subnetMask = "255.255.255.0"
workerProvisioningInterval = 5
workerProvisioningPoolSize = 1
${more}
[hatchery.vsphere.tls]
ca = "${authority}"
[[hatchery.vsphere.workerProvisioning]]
modelVMWare = "debian12"
number = ${ready}
[[hatchery.vsphere.guestCredentials]]
modelVMWare = "debian12"
username = "${Vcenter.guestAccount.user}"
password = "${Vcenter.guestAccount.password}"
[hatchery.vsphere.commonConfiguration]
name = "${cds.hatchery}"
rsaPrivateKey = """
${rsaPrivateKey}"""
[hatchery.vsphere.commonConfiguration.http]
addr = "127.0.0.1"
port = 0
[hatchery.vsphere.commonConfiguration.api]
token = "${cds.tokens.v1}"
tokenV2 = "${cds.tokens.v2}"
requestTimeout = 10
maxHeartbeatFailures = 10
[hatchery.vsphere.commonConfiguration.api.http]
url = "${cds.url}"
[hatchery.vsphere.commonConfiguration.provision]
maxWorker = 20
# Above the number of foreign machines, each of which the Go hatchery counts as a worker of its own.
maxConcurrentProvisioning = 20
registerFrequency = 10
`

/** Starts it with that file and waits until it is connected to CDS and vCenter. SIGTERM ends it; it leaves its machines alone then. */
export const start = (config: string): Effect.Effect<Process.Running, HarnessError, Scope.Scope> =>
  Effect.gen(function* () {
    const running = yield* Daemon.start((yield* programs).engine, ["start", "hatchery:vsphere", "--config", config], {
      cwd: dirname(config),
      log: join(logsOf(dirname(config)), "go-hatchery.log"),
      env: { SSL_CERT_FILE: authorityOf(config) }
    })
    yield* running.line(/vSphere hatchery initialized/)
    return running
  })
