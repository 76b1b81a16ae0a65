/**
 * The promises, looked at from outside: by what the simulated vCenter and CDS hold, not by what the hatchery believes of them. Where a promise
 * speaks of the hatchery itself (deadlines, reasons, leases) its services are asked.
 */
import { Clock, Context, Effect } from "effect"
import { Registry } from "../../src/actors/Registry.ts"
import { IpRanges } from "../../src/layers/memory/IpRanges.ts"
import { type AnyJob, since } from "../../src/layers/simulated/cds/Job.ts"
import type { Machine } from "../../src/layers/simulated/vcenter/Machine.ts"
import { type Annotation, believed } from "../../src/schema/Annotation.ts"
import { isFinal } from "../../src/schema/Job.ts"
import { Capacity } from "../../src/services/Capacity.ts"
import { IpPool } from "../../src/services/IpPool.ts"
import { Monitor } from "../../src/services/Monitor.ts"
import { isHopeless, isLeftAlone, takenName, unfinishedModels } from "./modelPromises.ts"
import { annotationOf, imprint, isNobodys, type Site, type Stage } from "./Stage.ts"

/** A deadline that has passed is acted upon within this; milliseconds. */
const deadlineLagMs = 30_000
/** A job that waits has its reason within this, while nothing is wrong; milliseconds. */
const reasonWithinMs = 90_000
/** A booking that no machine is for is released within this, while nothing is wrong; milliseconds. */
const idleBookingMs = 6 * 60_000
/** What a process has sent to CDS before it ended has come within this; milliseconds. */
const lateBookingMs = 60_000
/** After vCenter's restore machines that were destroyed are there again; their addresses are free again within this; milliseconds. */
const restoreLagMs = 15 * 60_000
/** The same for one that vCenter is busy with: a task on it may take half an hour here, and it needs two to go; milliseconds. */
const busyRestoreLagMs = 65 * 60_000

/** What a process could not see when it began is found and put in order within this after it shows; milliseconds. */
const orphanLagMs = 20 * 60_000

/** The same for a clone that comes late, as for one that was restored; milliseconds. */
const lateCloneLagMs = busyRestoreLagMs

/** None on a machine that registers a V1 model, nor on one that somebody marked as a template: no hatchery may touch that any more. */
const jobOf = (machine: Machine): string | undefined => {
  const annotation = annotationOf(machine)
  return annotation?.registerOnly === true || annotation?.model === true ? undefined : annotation?.jobId
}

/** A machine that somebody outside did something to, such as powering it on, is seen and removed within this; milliseconds. */
const meddledLagMs = 60_000

/** True when a process began while vCenter shows less than there is, or the one before it did, whose machines it finds. */
const beganBlind = ({ sites, blindUntil }: Stage): boolean =>
  sites.some(({ lives }) => lives.slice(-2).some(({ from }) => from < blindUntil))

const siteOf = ({ sites }: Stage, machine: Machine): Site | undefined =>
  sites.find(({ name }) => name === annotationOf(machine)?.hatcheryName)

/**
 * A clone of a process that is gone, which came to be later than a successor waits for it: until then nobody can know what address and job
 * it has.
 */
const isLateClone = (stage: Stage, machine: Machine, now: number): boolean => {
  const site = siteOf(stage, machine)
  const orderedAt = annotationOf(machine)?.created
  if (site === undefined || orderedAt === undefined || now - machine.createdAt > lateCloneLagMs) return false
  return site.lives.some(({ from, until }) => {
    const waitedUntil = from + site.world.settings.times.cloneMs
    return orderedAt < from && until > waitedUntil && machine.createdAt > waitedUntil
  })
}

/** Written by a process that is gone, whose call came to be after its successor had looked at the machine: it is seen and undone soon. */
const isLateWrite = (stage: Stage, machine: Machine, now: number): boolean => {
  const site = siteOf(stage, machine)
  const writtenAt = stage.writtenSince.get(machine.ref.value)?.at ?? -Infinity
  if (site === undefined || annotationOf(machine)?.journal?.instance === site.instance) return false
  return writtenAt > site.sawAt && now - writtenAt < meddledLagMs
}

/** Machines of several processes, of which the last one could not see all when it began: vCenter hid them, or did not have them yet. */
const areOrphans = (stage: Stage, machines: ReadonlyArray<Machine>, now: number): boolean => {
  const journals = machines.map((machine) => annotationOf(machine)?.journal)
  const ofSeveral =
    new Set(journals.map((journal) => journal?.instance)).size > 1 ||
    journals.some((journal) => journal?.state === "reaping")
  const blind = beganBlind(stage) && now - stage.blindUntil < orphanLagMs
  return ofSeveral && (blind || machines.some((machine) => isLateClone(stage, machine, now)))
}

/**
 * Promise 1: at most one live machine per job. One that is off for its removal, so that its job may go on elsewhere, can be powered on by somebody
 * before it is gone: nobody can know that beforehand. Nor can anybody know what the last calls of a process that is gone come to later.
 */
const oneMachinePerJob = (stage: Stage, now: number): ReadonlyArray<string> => {
  const carriers = new Map<string, Machine>()
  const broken: Array<string> = []
  for (const { name } of stage.sites)
    for (const machine of stage.vcenter.owned(name)) {
      const job = jobOf(machine)
      if (job === undefined || machine.power !== "poweredOn") continue
      if (now - (stage.meddled.get(machine.ref.value) ?? -Infinity) < meddledLagMs) continue
      if (isLateWrite(stage, machine, now)) continue
      const other = carriers.get(job)
      if (other !== undefined && !areOrphans(stage, [other, machine], now))
        broken.push(`the job ${job} is on ${other.name} and on ${machine.name}`)
      carriers.set(job, machine)
    }
  return broken
}

/** True when vCenter shows an address of the machine: on its cards, or in its annotation. */
const tells = (machine: Machine): boolean =>
  machine.guest.addresses.flat().length > 0 || annotationOf(machine)?.ipAddress !== undefined

/**
 * A clone that a process asked for which is gone, and that said whose it is at no look: somebody wrote on it as soon as it was made. Nobody can have
 * read its address.
 */
const isUnread = (stage: Stage, machine: Machine): boolean =>
  (stage.nobodysSince.get(machine.ref.value) ?? Infinity) < machine.createdAt &&
  !stage.sites.some(({ instance }) => instance === stage.cloners.get(machine.instanceUuid))

/**
 * Promise 1: at most one machine per address. What vCenter's restore brought back may hold one for a while, powered off. The address of a
 * machine that somebody took over by its annotation is known to the process that saw this, and to no later one while the machine is off; nor to
 * that one, when vCenter has hidden the machine since, as if it were gone. Nor does a process know what vCenter hides from it when it begins.
 */
const oneMachinePerAddress = (stage: Stage, now: number): ReadonlyArray<string> => {
  const sawAt = Math.max(...stage.sites.map((site) => site.sawAt))
  const machines = new Map(stage.vcenter.machines().map((machine) => [machine.name, machine]))
  const counts = (name: string): boolean => {
    const machine = machines.get(name)
    if (machine === undefined) return false
    const lagMs = machine.busy === undefined ? restoreLagMs : busyRestoreLagMs
    if (now - stage.restoredAt < lagMs && machine.power !== "poweredOn") return false
    const hiddenAt = tells(machine) ? -Infinity : stage.blindUntil
    if (!isNobodys(stage, machine)) return true
    return (stage.nobodysSince.get(machine.ref.value) ?? now) > Math.max(sawAt, hiddenAt) && !isUnread(stage, machine)
  }
  const ours = stage.sites.flatMap(({ world }) =>
    world.settings.vsphere.networks.map(({ ipRange }) => ipRange.replace(/\d+\/\d+$/, ""))
  )
  return [...stage.vcenter.addresses()].flatMap(([ip, names]) => {
    if (!ours.some((prefix) => ip.startsWith(prefix))) return []
    const holders = names.filter(counts)
    if (
      areOrphans(
        stage,
        holders.flatMap((name) => machines.get(name) ?? []),
        now
      )
    )
      return []
    return holders.length > 1 && holders.some((name) => machines.get(name)?.origin === "clone")
      ? [`the address ${ip} is on ${holders.join(" and on ")}`]
      : []
  })
}

/** Promise 2: a machine that is not ours is never changed. */
const foreignUntouched = (stage: Stage): ReadonlyArray<string> => {
  const machines = new Map(stage.vcenter.machines().map((machine) => [machine.ref.value, machine]))
  return [...stage.foreign].flatMap(([ref, before]) => {
    const machine = machines.get(ref)
    const after = machine === undefined ? "gone" : imprint(machine)
    return after === before ? [] : [`a foreign machine was changed: ${before} is ${after}`]
  })
}

/** Promise 5: no state without a deadline, and none that nobody minds. */
const deadlines = (site: Site, now: number): ReadonlyArray<string> => {
  if (site.process === undefined) return []
  const { machines } = Context.get(site.process.context, Registry)
  return [...machines.values()].flatMap(({ vm }) => {
    if (vm.deadline === undefined) return [`${vm.poolName} has no deadline in ${vm.state._tag}`]
    const past = now - vm.deadline
    return past > deadlineLagMs ? [`${vm.poolName} is ${past} ms past its deadline in ${vm.state._tag}`] : []
  })
}

/** Some hatchery here has to run it, or to say why not. */
const isFor = ({ sites, cds }: Stage, site: Site, { id, region }: AnyJob): boolean => {
  const v2 = cds.state.jobs.get(id)
  return v2 === undefined ? site === sites[0] : region === site.region && v2.model.osArch === "linux/amd64"
}

const signin = "/v2/auth/consumer/hatchery/signin"

/** What a process sends to vCenter before it has seen the machines. */
const firstCalls = [
  "Login",
  "RetrievePropertiesEx",
  "CreateContainerView",
  "CreatePropertyCollector",
  "CreateFilter",
  "WaitForUpdatesEx"
] as const

/** True while its process has not adopted what there is, and a fault is in store for the calls that it needs for that. */
const isShutOut = ({ cds, vcenter }: Stage, { sawAt }: Site): boolean =>
  sawAt === Infinity && (cds.state.faults.awaits("POST", signin) || firstCalls.some(vcenter.awaits))

/**
 * Promise 7: each job that waits has a reason, or a machine that is being made ready for it. A process that CDS or vCenter does not let in yet, for
 * a fault that it was given, cannot know of any.
 */
const reasons = Effect.fnUntraced(function* (stage: Stage, site: Site, now: number) {
  const { process } = site
  if (process === undefined) return []
  const told = new Map((yield* Context.get(process.context, Monitor).waiting).map(({ job, reason }) => [job, reason]))
  const registry = Context.get(process.context, Registry)
  if (isShutOut(stage, site)) site.shutOutAt = now
  const calm = now - Math.max(stage.troubledUntil, site.changedAt, site.shutOutAt) > reasonWithinMs
  return stage.cds.state.allJobs().flatMap((job) => {
    if (!isFor(stage, site, job)) return []
    const { id, status } = job
    const known = status !== "Waiting" || (told.get(id) ?? "") !== "" || registry.carrier(id) !== undefined
    if (known) stage.unexplained.delete(id)
    else if (!stage.unexplained.has(id)) stage.unexplained.set(id, now)
    const since = stage.unexplained.get(id) ?? now
    return calm && now - since > reasonWithinMs ? [`the job ${id} waits without a reason`] : []
  })
})

/**
 * Promise 3: a V1 job that this process has booked, and that no machine here is for, is in the queue again soon. A booking of the process before may be
 * carried out after that has ended; CDS ends it in its time.
 */
const idleBookings = (stage: Stage, site: Site, now: number): ReadonlyArray<string> => {
  const { process } = site
  if (process === undefined) return []
  const registry = Context.get(process.context, Registry)
  return [...stage.cds.state.v1.jobs.values()].flatMap((job) => {
    const { id, status, booking } = job
    const own = booking?.name === site.name && since(job) > site.changedAt + lateBookingMs
    const idle = own && status === "Scheduling" && registry.carrier(id) === undefined
    if (!idle) stage.idle.delete(id)
    else if (!stage.idle.has(id)) stage.idle.set(id, now)
    const from = Math.max(stage.idle.get(id) ?? now, stage.troubledUntil, site.shutOutAt)
    return now - from > idleBookingMs ? [`the job ${id} stays booked, and no machine is for it`] : []
  })
}

/** The looks are seconds apart, and a process may begin between what was done to a machine and the next look at it. */
const changedAt = ({ restoredAt }: Stage, { configured, modifiedAt }: Machine, now: number): number =>
  configured ? Math.max(modifiedAt, restoredAt) : now

/** Keeps since when a machine belongs to nobody here, as one does that is being made, and since when it says what it says. */
const noteMachines = (stage: Stage, now: number): void => {
  for (const machine of stage.vcenter.machines()) {
    const { annotation: text, ref } = machine
    if (stage.writtenSince.get(ref.value)?.text !== text) stage.writtenSince.set(ref.value, { text, at: now })
    if (machine.configured && !isNobodys(stage, machine)) stage.nobodysSince.delete(ref.value)
    else if (!stage.nobodysSince.has(ref.value)) stage.nobodysSince.set(ref.value, changedAt(stage, machine, now))
  }
}

/** What is broken at this moment. */
export const brokenNow = Effect.fnUntraced(function* (stage: Stage) {
  const now = yield* Clock.currentTimeMillis
  noteMachines(stage, now)
  const perSite = yield* Effect.forEach(stage.sites, (site) =>
    Effect.map(reasons(stage, site, now), (missing) => [
      ...deadlines(site, now),
      ...idleBookings(stage, site, now),
      ...missing
    ])
  )
  return [
    ...oneMachinePerJob(stage, now),
    ...oneMachinePerAddress(stage, now),
    ...foreignUntouched(stage),
    ...perSite.flat()
  ]
})

/** Jobs that end by CDS's own rule alone: nobody has a machine for them. One that waits for a person has to say so. */
const unfinishedJobs = Effect.fnUntraced(function* (stage: Stage) {
  const told = new Map<string, string>()
  for (const { process } of stage.sites)
    if (process !== undefined)
      for (const { job, reason } of yield* Context.get(process.context, Monitor).waiting) told.set(job, reason)
  return stage.cds.state.allJobs().flatMap((job) => {
    if (isFinal(job.status) || isHopeless(stage, job) || !stage.sites.some((site) => isFor(stage, site, job))) return []
    const taken = takenName(stage, job)
    return taken !== undefined && told.get(job.id)?.includes(`its name "${taken}" is taken in vCenter`) === true
      ? []
      : [`the job ${job.id} is ${job.status}`]
  })
})

/** By our own key; where there is none, by what the Go hatchery writes. */
const isReady = ({ journal, provisioning }: Annotation): boolean =>
  journal === undefined ? provisioning : journal.state === "provisioned"

/** True when each address of the site's ranges is on some machine, or in what stands on it: what others took over keeps its own. */
const hasNoAddressLeft = ({ vcenter }: Stage, { world }: Site): boolean => {
  const ranges = new IpRanges(world.settings.vsphere.networks)
  const written = vcenter.machines().flatMap((one) => (one.template ? [] : (annotationOf(one)?.ipAddress ?? [])))
  const taken = new Set([...vcenter.addresses().keys(), ...written])
  return ranges.total > 0 && [...taken].filter((ip) => ranges.networkOf(ip) !== undefined).length >= ranges.total
}

const unfilledPools = (stage: Stage, site: Site): ReadonlyArray<string> => {
  const missing = new Map(site.wanted)
  const wrong: Array<string> = []
  for (const machine of kept(stage, site)) {
    const annotation = annotationOf(machine)
    const pool = annotation?.workerModelPath ?? annotation?.vmwareModelPath ?? ""
    if (machine.power === "poweredOff" && annotation !== undefined && isReady(annotation))
      missing.set(pool, (missing.get(pool) ?? 0) - 1)
    else wrong.push(`${site.name} has ${machine.name}, ${machine.power}, ${annotation?.journal?.state}`)
  }
  const full = hasNoAddressLeft(stage, site)
  for (const [pool, number] of missing)
    if ((full ? number < 0 : number !== 0) && !isLeftAlone(stage, pool))
      wrong.push(`${site.name} has ${number} machines of ${pool} too ${number > 0 ? "few" : "many"}`)
  return wrong
}

/**
 * Ours, and to be looked after: what others marked as a V1 template is left alone, unless it has the name of a build, or our key is to be believed.
 * So is a build that was about to be a template when somebody renamed it: a machine that people made of a template, or cloned from it, looks the
 * same. One that says that it was being prepared cannot have been a template.
 */
const kept = ({ vcenter }: Stage, { name }: Site): ReadonlyArray<Machine> =>
  vcenter.owned(name).filter((machine) => {
    const annotation = annotationOf(machine)
    if (annotation?.model !== true || machine.name.endsWith("-tmp")) return true
    return annotation.journal?.state === "preparing" || believed(annotation, machine.name) !== undefined
  })

const leases = Effect.fnUntraced(function* (stage: Stage, site: Site) {
  if (site.process === undefined) return [`${site.name} does not run`]
  const { leased } = yield* Context.get(site.process.context, IpPool).count
  const { workers } = yield* Context.get(site.process.context, Capacity).used
  const ours = kept(stage, site)
  const holding = ours.filter((machine) => annotationOf(machine)?.ipAddress !== undefined).length
  const left = new Set(ours.map(({ ref }) => ref.value))
  const takenOver = stage.vcenter
    .machines()
    .filter(
      (machine) =>
        machine.origin === "clone" &&
        !left.has(machine.ref.value) &&
        (isNobodys(stage, machine) || annotationOf(machine)?.hatcheryName === site.name)
    )
  return [
    ...(leased >= holding && leased <= holding + takenOver.length
      ? []
      : [`${site.name} leases ${leased} addresses, its machines have ${holding}`]),
    ...(workers === 0 ? [] : [`${site.name} counts ${workers} workers`])
  ]
})

/** Promise 3: what is not yet as it has to be at the end. */
export const unconverged = Effect.fnUntraced(function* (stage: Stage) {
  const perSite = yield* Effect.forEach(stage.sites, (site) =>
    Effect.map(leases(stage, site), (leased) => [...leased, ...unfilledPools(stage, site)])
  )
  return [...(yield* unfinishedJobs(stage)), ...unfinishedModels(stage), ...perSite.flat()]
})
