/**
 * The mirror of the datacenter's machines, as plain state: what the subscription tells goes in, what changed comes out. Nothing here
 * waits or calls; every function runs to its end, so that readers and subscribers always see a whole change.
 *
 * A shrink that is suspicious is withheld: the machines stay, as `suspects`, until a complete re-read agrees that they are gone (design,
 * promise 6). It is suspicious when more of our machines are gone at once than `maxUnexplainedGone`, none of them destroyed by us, or when
 * vCenter still knows one of them.
 *
 * A machine that vCenter does not know when it is read directly, and whose leaving is not told, is no proof either: it stays until a
 * complete re-read, asked for by `isContradicted`, shows it gone.
 */
import type { MachineFacts, MachineRef } from "../../schema/Machine.ts"
import type { InventoryChange } from "../../services/Inventory.ts"
import { changeMachine, readMachine } from "./wire/MachineProperties.ts"
import type { ObjectContent, ObjectUpdate } from "./wire/Updates.ts"

/** So long a machine's leaving may be on its way after a direct read did not find it. Milliseconds. */
const leaveLag = 5_000

/** Machines gone within this time count together: vCenter may tell one shrink in several updates. Milliseconds. */
const shrinkWindow = 60_000

export interface MirrorOptions {
  readonly maxUnexplainedGone: number
  readonly owned: (facts: MachineFacts) => boolean
  readonly emit: (change: InventoryChange) => void
}

export class Mirror {
  readonly machines = new Map<MachineRef, MachineFacts>()
  /** Withheld until a re-read agrees. Empty while the view is not suspicious. */
  suspects: ReadonlySet<MachineRef> = new Set()
  epoch = 0
  complete = false

  private readonly options: MirrorOptions
  private readonly names = new Map<string, Set<MachineRef>>()
  private readonly expected = new Map<MachineRef, number>()
  private readonly direct = new Map<MachineRef, DirectRead>()
  /** Machines that stand here and were not found by a direct read: since when, milliseconds. */
  private readonly missed = new Map<MachineRef, number>()
  private seen = new Set<MachineRef>()
  private left: Array<MachineRef> = []
  private goneAt: Array<number> = []

  constructor(options: MirrorOptions) {
    this.options = options
  }

  /** A full re-read starts. What is known stays until it is complete. */
  begin(): void {
    this.epoch++
    this.complete = false
    this.seen = new Set()
    this.left = []
  }

  /** One update of a VirtualMachine. A machine that leaves does so when its update set is whole: `settle`. */
  apply(update: ObjectUpdate): void {
    const ref = update.obj.value
    const read = this.direct.get(ref)
    if (read !== undefined) read.overtaken = true
    if (update.kind === "leave") {
      this.seen.delete(ref)
      this.left.push(ref)
      return
    }
    this.seen.add(ref)
    this.missed.delete(ref)
    const known = this.machines.get(ref)
    this.put(
      update.kind === "modify" && known !== undefined
        ? changeMachine(known, update.changeSet, update.missingSet)
        : readMachine(ref, update.changeSet, known, update.missingSet)
    )
  }

  /** Machines of ours that the update set, whole now, shows gone without our doing. */
  unexplained(): ReadonlyArray<MachineRef> {
    return this.absent().filter((ref) => this.isSurprising(ref))
  }

  /** The update set is whole (all its pages). Ends the first read of an epoch. `denied`: vCenter still knows one of the unexplained. */
  settle(now: number, denied = false): void {
    const absent = this.absent()
    const by = this.complete ? "update" : "reread"
    this.left = []
    this.remove(absent, by, now, denied)
    if (this.complete || this.suspects.size > 0) return
    this.complete = true
    this.options.emit({ _tag: "Complete", epoch: this.epoch })
  }

  /** Our own destroy: its going is no surprise until the returned function is called. */
  expectGone(ref: MachineRef): () => void {
    this.expected.set(ref, (this.expected.get(ref) ?? 0) + 1)
    return () => {
      const count = this.expected.get(ref) ?? 0
      if (count > 1) this.expected.set(ref, count - 1)
      else this.expected.delete(ref)
    }
  }

  /** A direct read of one machine begins: `found` puts the answer in, unless the subscription told something newer meanwhile. */
  beginDirectRead(ref: MachineRef): DirectRead {
    const read = this.direct.get(ref) ?? { ref, overtaken: false, readers: 0 }
    read.readers++
    this.direct.set(ref, read)
    return read
  }

  endDirectRead(read: DirectRead): void {
    if (--read.readers === 0) this.direct.delete(read.ref)
  }

  /** A direct read of a machine says that there is none. */
  notFound(ref: MachineRef, now: number): void {
    if (this.machines.has(ref) && !this.missed.has(ref)) this.missed.set(ref, now)
  }

  /** True when what stands here differs from what direct reads found: only a re-read can tell. */
  isContradicted(now: number): boolean {
    return [...this.missed.values()].some((at) => now - at >= leaveLag)
  }

  found(read: DirectRead, content: Pick<ObjectContent, "propSet" | "missingSet">): MachineFacts {
    const facts = readMachine(read.ref, content.propSet, this.machines.get(read.ref), content.missingSet)
    if (!read.overtaken) {
      this.seen.add(read.ref)
      this.missed.delete(read.ref)
      this.put(facts)
    }
    return facts
  }

  private put(facts: MachineFacts): void {
    const previous = this.machines.get(facts.ref)
    if (previous !== undefined && sameFacts(previous, facts)) return
    if (previous?.name !== facts.name) {
      this.unname(previous)
      this.names.set(facts.name, (this.names.get(facts.name) ?? new Set()).add(facts.ref))
    }
    this.machines.set(facts.ref, facts)
    this.options.emit({ _tag: "Seen", facts, previous })
  }

  named(name: string): ReadonlyArray<MachineFacts> {
    return [...(this.names.get(name) ?? [])].flatMap((ref) => this.machines.get(ref) ?? [])
  }

  private unname(facts: MachineFacts | undefined): void {
    if (facts === undefined) return
    const refs = this.names.get(facts.name)
    refs?.delete(facts.ref)
    if (refs?.size === 0) this.names.delete(facts.name)
  }

  private absent(): Array<MachineRef> {
    const candidates = this.complete ? this.left : [...this.machines.keys()]
    return candidates.filter((ref) => !this.seen.has(ref))
  }

  private remove(absent: ReadonlyArray<MachineRef>, by: "update" | "reread", now: number, denied: boolean): void {
    const fresh = absent.filter((ref) => !this.suspects.has(ref))
    const surprising = fresh.filter((ref) => this.isSurprising(ref))
    this.goneAt = this.goneAt.filter((at) => now - at < shrinkWindow)
    const suspicious = this.goneAt.length + surprising.length > this.options.maxUnexplainedGone
    const doubted = denied ? absent : surprising.length > 0 && suspicious ? fresh : []
    const withheld = new Set(doubted.filter((ref) => !this.expected.has(ref)))
    if (withheld.size === 0) this.goneAt.push(...surprising.map(() => now))
    if (by === "reread") this.suspects = withheld
    else if (withheld.size > 0) this.suspects = new Set([...this.suspects, ...withheld])
    for (const ref of absent) if (!withheld.has(ref)) this.drop(ref, by)
  }

  private isSurprising(ref: MachineRef): boolean {
    const facts = this.machines.get(ref)
    return facts !== undefined && !this.expected.has(ref) && this.options.owned(facts)
  }

  private drop(ref: MachineRef, by: "update" | "reread"): void {
    const facts = this.machines.get(ref)
    if (facts === undefined) return
    this.machines.delete(ref)
    this.unname(facts)
    this.missed.delete(ref)
    this.options.emit({ _tag: "Gone", facts, by })
  }
}

/** A direct read under way, shared by its readers. */
export interface DirectRead {
  readonly ref: MachineRef
  overtaken: boolean
  readers: number
}

const sameFacts = (a: MachineFacts, b: MachineFacts): boolean =>
  sameFields({ ...a, guest: undefined, unreadable: undefined }, { ...b, guest: undefined, unreadable: undefined }) &&
  a.unreadable.join() === b.unreadable.join() &&
  sameFields({ ...a.guest, addresses: undefined }, { ...b.guest, addresses: undefined }) &&
  JSON.stringify(a.guest.addresses) === JSON.stringify(b.guest.addresses)

const sameFields = <T extends object>(a: T, b: T): boolean =>
  Object.entries(a).every(([key, value]) => value === b[key as keyof T])
