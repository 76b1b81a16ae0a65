/** The V2 API: everything that is asked of it in one session. */
import { Effect } from "effect"
import type { JobSighting } from "../../../schema/Job.ts"
import type { SettingsShape } from "../../../schema/Settings.ts"
import { decode } from "../decode.ts"
import * as Events from "../Events.ts"
import * as Hatchery from "../Hatchery.ts"
import * as ModelsV2 from "./ModelsV2.ts"
import * as QueueV2 from "./QueueV2.ts"
import * as Session from "../Session.ts"
import type { Means, Side } from "../Side.ts"
import * as Sightings from "../Sightings.ts"
import * as Signin from "../Signin.ts"
import * as SigninV2 from "./SigninV2.ts"
import * as Trouble from "../Trouble.ts"
import { WireEventV2 } from "../wire/Sighting.ts"

const decodeEvent = decode("event", WireEventV2)

const read = (frame: string) =>
  Effect.map(decodeEvent(frame), (event): ReadonlyArray<JobSighting> => [
    { id: event.job_run_id, region: event.region, projectKey: event.project_key ?? "", source: "event" }
  ])

export const make = Effect.fnUntraced(function* (
  { http, socket, key, identity }: Means,
  { cds }: SettingsShape,
  token: NonNullable<SettingsShape["cds"]["tokenV2"]>
) {
  const trouble = yield* Trouble.make("V2")
  const session = yield* Session.make(http, trouble, SigninV2.make(http, cds, token, key, identity.version))
  const queue = QueueV2.make(session, cds.name)

  const poll = Effect.gen(function* () {
    const { region } = yield* Effect.mapError(session.held, Session.asCdsError("poll"))
    return yield* queue.waiting(region, cds.osArch)
  })

  const sightings = Sightings.make(
    {
      connect: Events.open(socket, session, cds.apiUrl, "/v2/hatchery/ws"),
      read,
      poll: Effect.withSpan(poll, "Cds.poll"),
      pollIntervalMs: cds.disableV2QueuePolling ? undefined : cds.pollIntervalMs
    },
    trouble
  )

  const side: Side = {
    name: "V2",
    signin: Signin.untilSignedIn(session, trouble, cds.apiUrl),
    region: Effect.map(session.latest, ({ region }) => region),
    trouble: trouble.current,
    queue,
    sightings,
    ...Hatchery.make(session, cds, identity, Hatchery.routesV2)
  }
  return { ...side, ...ModelsV2.make(session) }
})
