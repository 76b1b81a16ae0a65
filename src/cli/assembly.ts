/**
 * How a hatchery is put together: actors over services over layers. What differs between production, the demo and the tests is given from
 * outside: the transport to vCenter, the HTTP client and socket to CDS, the ids and the settings.
 */
import { hostname } from "node:os"
import { Effect, Layer } from "effect"
import { Dispatcher } from "../actors/jobs/Dispatcher.ts"
import { Hatchery } from "../actors/Hatchery.ts"
import { Heart } from "../actors/watch/Heart.ts"
import * as MonitorLive from "../actors/watch/MonitorLive.ts"
import { Nursery } from "../actors/pool/Nursery.ts"
import { Parts } from "../actors/Parts.ts"
import { Predecessor } from "../actors/watch/Predecessor.ts"
import { Reaper } from "../actors/watch/Reaper.ts"
import { Registrar } from "../actors/models/Registrar.ts"
import { Registry } from "../actors/Registry.ts"
import { Rival } from "../actors/watch/Rival.ts"
import { Signals } from "../actors/Signals.ts"
import { WorkerModels } from "../actors/models/WorkerModels.ts"
import { WorkerPool } from "../actors/watch/WorkerPool.ts"
import * as CdsLive from "../layers/cds/CdsLive.ts"
import * as Capacity from "../layers/memory/Capacity.ts"
import * as EventLog from "../layers/memory/EventLog.ts"
import * as IpPool from "../layers/memory/IpPool.ts"
import { version } from "../layers/version.ts"
import * as GuestLive from "../layers/vsphere/GuestLive.ts"
import * as InventoryLive from "../layers/vsphere/InventoryLive.ts"
import { Placement } from "../layers/vsphere/Placement.ts"
import { VimSession } from "../layers/vsphere/VimSession.ts"
import * as VSphereLive from "../layers/vsphere/VSphereLive.ts"
import { Settings } from "../services/Settings.ts"

const session = Layer.unwrap(
  Effect.map(Settings, ({ vsphere: { user, password } }) => VimSession.layer({ user, password, locale: "en_US" }))
)

/** VSphere, Inventory and Guest over a `Vim` transport. */
const vsphere = Layer.mergeAll(VSphereLive.layer, GuestLive.layer).pipe(
  Layer.provideMerge(InventoryLive.layer),
  Layer.provideMerge(Placement.layer),
  Layer.provideMerge(session)
)

/** Cds over an HTTP client and a socket. */
const cds = CdsLive.layer({ version, hostname: hostname() })

/** The ledgers of this process. */
const memory = Layer.mergeAll(IpPool.layer, Capacity.layer, EventLog.layer).pipe(Layer.provideMerge(vsphere))

const parts = Layer.mergeAll(Dispatcher.layer, Nursery.layer, Reaper.layer, Registrar.layer)

/** All actors. `Hatchery.run` is the service, `Monitor` what it tells about itself. */
const actors = Hatchery.layer.pipe(
  Layer.provideMerge(Heart.layer),
  Layer.provideMerge(MonitorLive.layer(version)),
  Layer.provideMerge(parts),
  Layer.provideMerge(Predecessor.layer),
  Layer.provideMerge(Rival.layer),
  Layer.provideMerge(WorkerPool.layer),
  Layer.provideMerge(Registry.layer),
  Layer.provideMerge(WorkerModels.layer),
  Layer.provideMerge(Signals.layer),
  Layer.provideMerge(Parts.layer)
)

/** A whole hatchery; what it still asks for is `Settings`, `Ids`, `Vim`, `HttpClient` and `CdsSocket`. */
export const hatchery = actors.pipe(Layer.provideMerge(Layer.mergeAll(cds, memory)))
