/**
 * The tasks that the subscription sees, as plain state: those under way, and how those of the last ten minutes ended, so that who asks
 * after the end still learns it.
 */
import { Effect } from "effect"
import { Waiters } from "./Waiters.ts"
import type { TaskEnd } from "./wire/Task.ts"
import { isClone, taskEnd } from "./wire/Task.ts"
import type { ObjectUpdate } from "./wire/Updates.ts"

/** As long as vCenter itself keeps a task in `recentTask`. Milliseconds. */
const kept = 10 * 60_000

export class TaskBoard {
  private readonly running = new Map<string, Map<string, unknown>>()
  /** In the order of their ends. */
  private readonly ended = new Map<string, { readonly end: TaskEnd; readonly at: number; readonly clone: boolean }>()
  private readonly waiters = new Waiters<TaskEnd | undefined>()

  /** A full re-read starts: whatever runs is told again. */
  begin(): void {
    this.running.clear()
  }

  /** The re-read is complete: who waits for a task that it did not show has to look for it. */
  complete(): void {
    for (const ref of this.waiters.keys) if (!this.running.has(ref)) this.waiters.tell(ref, undefined)
  }

  /** One update of a Task. */
  apply(update: ObjectUpdate, now: number): void {
    const ref = update.obj.value
    if (update.kind === "leave") {
      this.running.delete(ref)
      if (!this.ended.has(ref)) this.waiters.tell(ref, undefined)
      return
    }
    const known = this.running.get(ref)
    const properties = update.kind === "modify" && known !== undefined ? known : new Map<string, unknown>()
    for (const { name, val } of update.changeSet) properties.set(name, val)
    const end = taskEnd(properties)
    if (end === undefined) this.running.set(ref, properties)
    else this.end(ref, end, now, isClone(properties))
  }

  /**
   * The task's end as soon as the subscription tells it; at once when it has. Undefined when the task cannot be seen any more: its end
   * has then to be looked for.
   */
  next(ref: string): Effect.Effect<TaskEnd | undefined> {
    return Effect.suspend(() => {
      const known = this.ended.get(ref)
      return known === undefined ? this.waiters.wait(ref, () => true) : Effect.succeed(known.end)
    })
  }

  /** The clones under way, queued ones included. */
  get clones(): ReadonlyArray<string> {
    return [...this.running].flatMap(([ref, properties]) => (isClone(properties) ? [ref] : []))
  }

  /** The machines that came of the clones which ended in the last ten minutes. */
  cloned(now: number): ReadonlyArray<string> {
    return [...this.ended.values()].flatMap(({ end, at, clone }) =>
      clone && now - at < kept && end._tag === "Success" && end.result !== undefined ? [end.result] : []
    )
  }

  private end(ref: string, end: TaskEnd, now: number, clone: boolean): void {
    this.running.delete(ref)
    this.ended.set(ref, { end, at: now, clone })
    for (const [old, { at }] of this.ended) {
      if (now - at < kept) break
      this.ended.delete(old)
    }
    this.waiters.tell(ref, end)
  }
}
