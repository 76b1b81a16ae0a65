import { createPublicKey, verify } from "node:crypto"
import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted } from "effect"
import { seeded } from "../support/world.ts"
import { runJob } from "./job.ts"

const decoded = (part: string) => JSON.parse(Buffer.from(part, "base64url").toString())

describe("the token that a worker gets", () => {
  it.effect("is for one worker and one job, for an hour, signed by the hatchery's key, and new for each", () =>
    Effect.gen(function* () {
      const { requests, world } = yield* runJob({ order: { count: 3 } })
      const configs = requests.flatMap(({ env }) => env["CDS_CONFIG"] ?? []).map((text) => decoded(text))
      assert.strictEqual(configs.length, 3)
      const key = createPublicKey(Redacted.value(world.settings.cds.rsaPrivateKey))
      const seen = new Set<string>()
      for (const config of configs) {
        const token: string = config.api_token
        const [header = "", payload = "", signature = ""] = token.split(".")
        const claims = decoded(payload)
        assert.deepStrictEqual(decoded(header), { alg: "RS512", typ: "JWT" })
        assert.isTrue(verify("sha512", Buffer.from(`${header}.${payload}`), key, Buffer.from(signature, "base64url")))
        assert.strictEqual(claims.exp - claims.iat, 3600)
        assert.strictEqual(claims.sub, config.name)
        assert.deepStrictEqual(claims.Worker, {
          worker_model: config.name,
          model_name: config.model,
          run_job_id: config.run_job_id,
          hatchery_name: config.hatchery_name
        })
        for (const own of [claims.jti, claims.sub, claims.Worker.run_job_id, token]) {
          assert.isFalse(seen.has(own), own)
          seen.add(own)
        }
      }
    }).pipe(seeded("tokens"))
  )
})
