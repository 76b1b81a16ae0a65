/** A hatchery of bare HTTP calls, to prove the stand itself: it signs in, takes jobs, and runs CDS's worker as a plain process. */
import { Effect } from "effect"
import { SignJWT } from "jose"
import { generateKeyPairSync, randomUUID } from "node:crypto"
import { mkdtempSync } from "node:fs"
import { dirname, join } from "node:path"
import type { HarnessError } from "../harness/HarnessError.ts"
import * as Api from "./Api.ts"
import * as Daemon from "./Daemon.ts"
import type { RealCds } from "./RealCds.ts"
import { programs } from "./Programs.ts"

export interface BareHatchery {
  /** Its two sessions. */
  readonly v1: Api.Api
  readonly v2: Api.Api
  /** The region that its V2 signin was answered. */
  readonly region: string
  /** Takes or books the job and has a worker run it, to the worker's end. Answers what the worker printed. */
  readonly serveV1: (job: string) => Effect.Effect<string, HarnessError>
  readonly serveV2: (job: string) => Effect.Effect<string, HarnessError>
}

interface Cdn {
  readonly http_url: string
  readonly tcp_url: string
}

export const signin = (cds: RealCds): Effect.Effect<BareHatchery, HarnessError> =>
  Effect.gen(function* () {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 })
    const pem = publicKey.export({ type: "pkcs1", format: "pem" })
    const about = { name: cds.hatchery, http_url: "", config: {}, public_key: Buffer.from(pem).toString("base64") }
    const stranger = Api.make(cds.url)
    const one = yield* stranger.ask<{ readonly token: string }>("POST", "/auth/consumer/builtin/signin", {
      token: cds.tokens.v1,
      service: { ...about, type: "hatchery" }
    })
    const two = yield* stranger.ask<{ readonly token: string; readonly region: string }>(
      "POST",
      "/v2/auth/consumer/hatchery/signin",
      { token: cds.tokens.v2, ...about, type: "vsphere", version: "0.57.0" }
    )
    const v1 = Api.make(cds.url, one.token)
    const v2 = Api.make(cds.url, two.token)
    const serve = (claims: object, config: object) =>
      Effect.gen(function* () {
        const worker = `worker-${randomUUID()}`
        const jwt = new SignJWT({ Worker: { worker_model: worker, hatchery_name: cds.hatchery, ...claims } })
        const token = yield* Effect.promise(() =>
          jwt
            .setProtectedHeader({ alg: "RS512", typ: "JWT" })
            .setIssuer(cds.hatchery)
            .setSubject(worker)
            .setJti(randomUUID())
            .setIssuedAt()
            .setExpirationTime("1h")
            .sign(privateKey)
        )
        const cdn = yield* v2.ask<Cdn>("GET", "/v2/config/cdn")
        // A plugin listens on a socket in here, whose path must stay below 108 bytes.
        const basedir = mkdtempSync(join(dirname(cds.engine.config), "w-"))
        const written = {
          name: worker,
          basedir,
          hatchery_name: cds.hatchery,
          api_endpoint: cds.url,
          api_token: token,
          cdn_endpoint: cdn.http_url,
          gelf_service_addr: cdn.tcp_url,
          region: cds.region,
          ...config
        }
        const env = {
          CDS_CONFIG: Buffer.from(JSON.stringify(written)).toString("base64"),
          HOME: basedir,
          CI: undefined
        }
        return yield* Daemon.run((yield* programs).worker, [], { cwd: basedir, env })
      })
    return {
      v1,
      v2,
      region: two.region,
      serveV1: (job) =>
        Effect.andThen(
          v1.ask("POST", `/queue/workflows/${job}/book`, { delay: 0 }),
          serve({ model: {}, job_id: Number(job) }, { booked_job_id: Number(job) })
        ),
      serveV2: (job) =>
        Effect.andThen(
          v2.ask("POST", `/v2/queue/${two.region}/job/${job}/hatchery/take`),
          serve({ model_name: "debian", run_job_id: job }, { run_job_id: job, model: "debian" })
        )
    }
  })
