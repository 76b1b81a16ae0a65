/** Wrong settings, met by the program as its operator starts it: each is told once, plainly, by the name of its key. */
import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import * as Cds from "./harness/Cds.ts"
import * as Go from "./harness/Go.ts"
import * as Program from "./harness/Program.ts"
import { sideBySide } from "./harness/real.ts"
import * as Vcenter from "./harness/Vcenter.ts"

/** Runs `start` on good settings but these, against VMware's simulator with these flags. */
const startWith = Effect.fnUntraced(function* (
  wrong: Partial<Program.Configuration>,
  flags: ReadonlyArray<string> = []
) {
  const [vcenter, cds] = yield* Effect.all([Vcenter.start(flags), Cds.start()], { concurrency: 2 })
  const config = yield* Program.configFile({
    vcenter: vcenter.url,
    cds: cds.url,
    token: cds.token,
    password: Vcenter.account.password,
    datacenter: "DC0",
    template: "debian12",
    number: 1,
    ipRange: "10.0.0.0/29",
    reaperInterval: "500ms",
    ...wrong
  })
  return { vcenter, cds, hatchery: yield* Program.startHatchery(config) }
})

const base64url = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url")

/** A hatchery's token as CDS makes them, with that end of its life in seconds since the epoch. */
const token = (expire: number) =>
  [{ alg: "PS512" }, { type: "signinHatcheryConsumerToken", expire, data: { consumer_id: "c", iat: 1 } }, "signature"]
    .map(base64url)
    .join(".")

const common = "hatchery.vsphere.commonConfiguration"

/** What is wrong, and how the one line that says so begins. */
const cases: ReadonlyArray<{
  readonly name: string
  readonly wrong?: Partial<Program.Configuration>
  readonly flags?: ReadonlyArray<string>
  readonly says: string
}> = [
  {
    name: "a wrong password",
    wrong: { password: "guess" },
    says: "hatchery.vsphere.user, hatchery.vsphere.password = <redacted>: vCenter refused"
  },
  {
    name: "an unknown datacenter",
    wrong: { datacenter: "DC9" },
    says: "hatchery.vsphere.datacenterString = DC9: vCenter shows no such datacenter to this account; it shows DC0"
  },
  {
    name: "a range that does not parse",
    wrong: { ipRange: "10.0.0.0/33" },
    says: 'hatchery.vsphere.iprange = "10.0.0.0/33": "10.0.0.0/33" is not an IPv4 block'
  },
  {
    name: "an expired token",
    wrong: { token: token(1_700_000_000) },
    says: `${common}.api.tokenV2 = <redacted>: expired on 2023-11-14T22:13:20.000Z`
  },
  {
    name: "a token that CDS refuses",
    wrong: { token: token(0) },
    says: `${common}.api.tokenV2 = <redacted>: is refused by CDS`
  },
  {
    name: "a certificate that nobody known has signed",
    flags: ["-tls"],
    says: "hatchery.vsphere.tls.ca = (does not fit): the certificate of 127.0.0.1:"
  }
]

sideBySide("the program, started with a wrong setting,", Go.goMissing(), () => {
  for (const { name, wrong = {}, flags = [], says } of cases)
    it.live(`tells ${name} in one line, by its key, and exits 2`, () =>
      Effect.gen(function* () {
        const { hatchery } = yield* startWith(wrong, flags)
        assert.deepStrictEqual(yield* hatchery.exit, { code: 2, signal: null })
        const told = hatchery.lines.filter((line) => !line.includes("[INFO]"))
        assert.strictEqual(told.length, 1, hatchery.lines.join("\n"))
        assert.strictEqual(told[0]?.slice(0, says.length), says)
      }).pipe(Effect.scoped)
    )

  it.live("tries a wrong password once", () =>
    Effect.gen(function* () {
      const { vcenter, hatchery } = yield* startWith({ password: "guess" })
      yield* hatchery.exit
      assert.strictEqual((yield* vcenter.counters)["Login"]?.count, 1)
    }).pipe(Effect.scoped)
  )

  it.live("names the setting of a template that is not there, and hatches when it comes", () =>
    Effect.gen(function* () {
      const { vcenter, hatchery } = yield* startWith({ template: "debian13" })
      yield* hatchery.line(/hatchery\.vsphere\.workerProvisioning\.modelVMWare = debian13: .*no template/)
      yield* vcenter.order("POST", "/rename", { name: "debian12", to: "debian13" })
      yield* vcenter.until(({ name }) => name.startsWith("provision-v2-"), "hatched from the new template")
      const told = hatchery.lines.filter((line) => line.includes("modelVMWare = debian13"))
      assert.strictEqual(told.length, 1, told.join("\n"))
    }).pipe(Effect.scoped)
  )
})
