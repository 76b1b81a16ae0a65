/** What the parts of the simulated vCenter share. Everything in it but `run` and `pause` is synchronous. */
import { makeViews } from "./ContainerView.ts"
import type { Views } from "./ContainerView.ts"
import { makeFaultBook } from "./FaultBook.ts"
import { makeGuests } from "./GuestSystem.ts"
import type { Guests } from "./GuestSystem.ts"
import { makeObjectStore } from "./ObjectStore.ts"
import type { SimVCenterOptions, Timings } from "./Options.ts"
import type { Runtime } from "./Runtime.ts"
import { makeSessions } from "./Session.ts"
import type { Sessions } from "./Session.ts"
import { makeTasks } from "./Task.ts"
import type { Tasks } from "./Task.ts"
import { makeTraffic } from "./Traffic.ts"
import { makeTree } from "./Tree.ts"
import type { Tree } from "./Tree.ts"

export class Core {
  readonly options: SimVCenterOptions
  readonly store = makeObjectStore()
  readonly faults = makeFaultBook()
  readonly traffic = makeTraffic()
  readonly now: Runtime["now"]
  readonly random: Runtime["random"]
  readonly nextId: Runtime["nextId"]
  readonly uuid: Runtime["uuid"]
  readonly pause: Runtime["pause"]
  readonly run: Runtime["run"]
  readonly stop: Runtime["stop"]
  readonly timings: () => Timings
  readonly tree: Tree
  readonly tasks: Tasks
  readonly sessions: Sessions
  readonly views: Views
  readonly guests: Guests

  constructor(runtime: Runtime, options: SimVCenterOptions) {
    this.options = options
    this.now = runtime.now
    this.random = runtime.random
    this.nextId = runtime.nextId
    this.uuid = runtime.uuid
    this.pause = runtime.pause
    this.run = runtime.run
    this.stop = runtime.stop
    this.timings = runtime.timings
    this.tree = makeTree(this.store, options)
    this.tasks = makeTasks(this)
    this.sessions = makeSessions(this)
    this.views = makeViews(this)
    this.guests = makeGuests(this)
  }
}
