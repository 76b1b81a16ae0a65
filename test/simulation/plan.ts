/**
 * A run is drawn from its seed before it begins: the settings, the people around, and what happens when. Each seed allows itself only some of the
 * kinds of happenings, so that rare pairs of them meet often in some run (swarm testing).
 */
import type { Effect } from "effect"
import type { ForeignOptions } from "../../src/layers/simulated/vcenter/Estate.ts"
import type { ModelAsCodeOrder, ModelOrder } from "../../src/layers/simulated/cds/v1/Order.ts"
import type { PartialOptions } from "../../src/layers/simulated/vcenter/Options.ts"
import { defaults } from "../../src/schema/Config.ts"
import type { NetworkSettings, SettingsShape } from "../../src/schema/Settings.ts"
import { Redacted } from "effect"
import { Dice } from "./Dice.ts"
import { cds } from "./happenings/cds.ts"
import { guests } from "./happenings/guests.ts"
import { jobs } from "./happenings/jobs.ts"
import { people } from "./happenings/people.ts"
import { processes } from "./happenings/processes.ts"
import { strikes } from "./happenings/strikes.ts"
import { strikesV1 } from "./happenings/strikesV1.ts"
import { asCode, jobsV1, models as modelsV1, troublesV1 } from "./happenings/v1.ts"
import { vcenter } from "./happenings/vcenter.ts"
import type { Stage } from "./Stage.ts"

/** Something that is done to the world; all chance in it was thrown when it was drawn. */
export interface Deed {
  /** Its parameters, for people. */
  readonly text: string
  readonly does: (stage: Stage) => Effect.Effect<void>
}

export type Kind = (dice: Dice) => Deed

/** Kinds of happenings by name. */
export type Kinds = Readonly<Record<string, Kind>>

export interface Happening extends Deed {
  /** Milliseconds after the start. */
  readonly at: number
  readonly kind: string
}

/** What differs between two hatcheries on the same vCenter. */
export interface SitePlan {
  readonly settings: Partial<SettingsShape>
  readonly networks: ReadonlyArray<NetworkSettings>
}

/** The V1 side of CDS. */
export interface PlanV1 {
  readonly models: ReadonlyArray<ModelOrder>
  readonly modelsAsCode?: ReadonlyArray<ModelAsCodeOrder>
  /** The first hatchery has a V1 token and no other. */
  readonly alone?: boolean | undefined
}

export interface Plan {
  readonly seed: number
  readonly site: SitePlan
  /** Absent: nobody has a V1 token. */
  readonly v1: PlanV1 | undefined
  /** A second hatchery with another name, region and range of addresses. */
  readonly neighbour: SitePlan | undefined
  readonly vcenter: PartialOptions
  readonly latencyMs: number
  readonly foreign: ReadonlyArray<ForeignOptions>
  /** When all faults end, milliseconds after the start. */
  readonly calmAt: number
  readonly happenings: ReadonlyArray<Happening>
}

/** What may go wrong without V1, all kinds by name. */
export const troubles: Kinds = { ...vcenter, ...guests, ...cds, ...people, ...processes, ...strikes }

/** All that may go wrong, those of V1 too. */
export const allTroubles: Kinds = { ...troubles, ...troublesV1, ...strikesV1 }

/** Seeds below play what they played before there was V1: some of them are kept for it. */
const firstV1 = 100_000
/** So many of the runs from there on have V1. */
const v1Share = 0.3

/** In so many runs nothing goes wrong but what strikes machines in some state, and that more often. */
const strikingShare = 0.4

export const templates = ["debian12", "alma9"] as const

const vcenterOf = (dice: Dice): PartialOptions => ({
  hosts: dice.between(1, 3),
  pageSize: dice.pick([1, 2, 3, 1_000]),
  concurrency: dice.pick([1, 2, 64]),
  guestNoise: dice.pick([0, 0.25, 1]),
  templates: templates.map((name) => ({
    name,
    cpus: 2,
    memoryMB: 4096,
    nics: dice.between(1, 2),
    snapshot: dice.chance(0.8),
    guestUser: "worker",
    guestPassword: "worker"
  }))
})

const timesOf = (dice: Dice): SettingsShape["times"] => ({
  ...defaults.times,
  workerTtlMs: dice.minutes(5, 20),
  workerRegistrationTtlMs: dice.minutes(2, 10),
  provisioningIntervalMs: dice.seconds(20, 120),
  reaperIntervalMs: dice.seconds(10, 60),
  cloneMs: dice.minutes(2, 10),
  taskMs: dice.minutes(1, 10),
  viewAgeMs: dice.seconds(60, 90)
})

const credentials = templates.map((template) => ({
  template,
  username: "worker",
  password: Redacted.make("worker")
}))

const settingsOf = (dice: Dice, most: number): Partial<SettingsShape> => ({
  credentials,
  times: timesOf(dice),
  poolSize: dice.between(1, 3),
  maxWorker: dice.pick([0, 1, 3, 10]),
  maxConcurrentProvisioning: dice.pick([1, 2, 10]),
  maxAttempts: dice.pick([1, 3, 5]),
  maxUnexplainedGone: dice.pick([0, 1, 5]),
  maxCpus: dice.pick([0, 0, 4]),
  flavors: [{ name: "large", cpus: 4, memoryMB: 8192 }],
  provision: dice.chance(0.7)
    ? [{ template: "debian12", number: dice.between(1, most) }]
    : [
        { template: "debian12", number: 1 },
        { template: "alma9", number: dice.between(0, most - 1) }
      ]
})

const siteOf = (dice: Dice, third: number): SitePlan => {
  const roomy = dice.chance(0.6)
  const network = { gateway: `10.0.${third}.1`, subnetMask: "255.255.255.0" }
  return {
    settings: settingsOf(dice, roomy ? 4 : 2),
    networks: [{ ...network, ipRange: roomy ? `10.0.${third}.0/24` : `10.0.${third}.8/29` }]
  }
}

const foreignOf = (dice: Dice): ReadonlyArray<ForeignOptions> => [
  { count: dice.between(0, 3), poweredOn: true },
  { count: dice.between(0, 2), poweredOn: false, prefix: "spare" },
  ...(dice.chance(0.5) ? [{ count: 1, prefix: "squatter", ip: `10.0.0.${dice.between(2, 11)}` }] : []),
  ...(dice.chance(0.5)
    ? [
        {
          count: 1,
          prefix: "cousin",
          annotation: `{"hatchery_name":"cousin","worker_name":"w","ip_address":"10.0.0.9"}`
        }
      ]
    : [])
]

const allowed = (dice: Dice, choice: ReadonlyArray<string>): ReadonlyArray<string> => {
  const share = dice.pick([0.15, 0.3, 0.6])
  const names = choice.filter(() => dice.chance(share))
  return names.length > 0 ? names : [dice.pick(choice)]
}

/** Moments between two ends, so far apart on average. */
const moments = (dice: Dice, from: number, to: number, apart: number): ReadonlyArray<number> => {
  const found: Array<number> = []
  let at = from
  while (true) {
    at += 1_000 + Math.floor(-Math.log(1 - dice.next()) * apart)
    if (at >= to) return found
    found.push(at)
  }
}

const happen = (dice: Dice, kinds: Kinds, names: ReadonlyArray<string>, times: ReadonlyArray<number>) =>
  times.map((at): Happening => {
    const kind = dice.pick(names)
    return { at, kind, ...kinds[kind]!(dice) }
  })

/** The V1 side of a run, with dice of its own: what else happens does not depend on it. */
const drawV1 = (seed: number, calmAt: number, choice: ReadonlyArray<string>) => {
  const dice = new Dice(seed ^ 0x56_31_56_31)
  if (seed < firstV1 || !dice.chance(v1Share)) return undefined
  const modelProvision = modelsV1.flatMap(({ name }) =>
    dice.chance(0.5) ? [{ modelPath: `shared.infra/${name}`, number: dice.between(0, 2) }] : []
  )
  const settings = {
    modelProvision,
    maxConcurrentRegistering: dice.pick([1, 2]),
    defaultWorkerModelsV2: [{ model: `${asCode.path}@${asCode.branch}`, binaries: [] }]
  }
  const times = { registerMs: dice.seconds(20, 120), templateMs: dice.minutes(5, 15) }
  const work = happen(dice, jobsV1, Object.keys(jobsV1), moments(dice, 0, calmAt, dice.seconds(60, 200)))
  const struck = choice.filter((kind) => kind in strikesV1)
  const trouble =
    choice.length === 0
      ? []
      : struck.length > 0 && dice.chance(strikingShare)
        ? happen(dice, strikesV1, allowed(dice, struck), moments(dice, 1_000, calmAt, dice.seconds(30, 120)))
        : happen(dice, allTroubles, allowed(dice, choice), moments(dice, 20_000, calmAt, dice.seconds(20, 120)))
  return { plan: { models: modelsV1, modelsAsCode: [asCode] }, settings, times, happenings: [...work, ...trouble] }
}

/** Room for all pools, and for a template that is built beside them. */
const withV1 = ({ settings, networks }: SitePlan, v1: Exclude<ReturnType<typeof drawV1>, undefined>): SitePlan => ({
  networks: networks.map((network) => ({ ...network, ipRange: "10.0.0.0/24" })),
  settings: { ...settings, ...v1.settings, times: { ...defaults.times, ...settings.times, ...v1.times } }
})

/** The plan of a seed. `chosen`: no other kinds of trouble than these. */
export const draw = (seed: number, chosen: ReadonlyArray<string> = Object.keys(allTroubles)): Plan => {
  const choice = chosen.filter((kind) => kind in troubles)
  const dice = new Dice(seed)
  const calmAt = dice.minutes(10, 30)
  const ownSite = siteOf(dice, 0)
  const neighbour = dice.chance(0.35) ? siteOf(dice, 1) : undefined
  const world = { vcenter: vcenterOf(dice), latencyMs: dice.pick([0, 4, 40, 400]), foreign: foreignOf(dice) }
  const work = happen(dice, jobs, Object.keys(jobs), moments(dice, 0, calmAt, dice.seconds(40, 160)))
  const struck = choice.filter((kind) => kind in strikes)
  const trouble =
    choice.length === 0
      ? []
      : struck.length > 0 && dice.chance(strikingShare)
        ? happen(dice, troubles, allowed(dice, struck), moments(dice, 1_000, calmAt, dice.seconds(8, 60)))
        : happen(dice, troubles, allowed(dice, choice), moments(dice, 20_000, calmAt, dice.seconds(15, 120)))
  const v1 = drawV1(
    seed,
    calmAt,
    chosen.filter((kind) => kind in troublesV1 || kind in strikesV1)
  )
  const site = v1 === undefined ? ownSite : withV1(ownSite, v1)
  const happenings = [...work, ...trouble, ...(v1?.happenings ?? [])].toSorted((a, b) => a.at - b.at)
  return { seed, site, v1: v1?.plan, neighbour, ...world, calmAt, happenings }
}
