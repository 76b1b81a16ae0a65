/** The V1 API: everything that is asked of it in one session. */
import { Effect } from "effect"
import type { CdsWorker, JobSighting } from "../../../schema/Job.ts"
import type { MonitoringStatus } from "../../../schema/Monitoring.ts"
import type { SettingsShape } from "../../../schema/Settings.ts"
import { decode } from "../decode.ts"
import * as Events from "../Events.ts"
import * as Hatchery from "../Hatchery.ts"
import { settled } from "../LostAnswers.ts"
import * as ModelsV1 from "./ModelsV1.ts"
import * as QueueV1 from "./QueueV1.ts"
import { segment } from "../segment.ts"
import * as Session from "../Session.ts"
import type { Means, Side } from "../Side.ts"
import * as Sightings from "../Sightings.ts"
import * as Signin from "../Signin.ts"
import * as SigninV1 from "./SigninV1.ts"
import * as Trouble from "../Trouble.ts"
import { ErrorId } from "../wire/Failure.ts"
import { WireEventV1, WireJobEvent } from "../wire/Sighting.ts"

const decodeEvent = decode("event", WireEventV1)
const decodeJobEvent = decode("event", WireJobEvent)

/** CDS takes one filter or a list of them; empty fields as the Go hatchery sends them. */
const filters = [
  {
    type: "queue",
    project_key: "",
    application_name: "",
    pipeline_name: "",
    environment_name: "",
    workflow_name: "",
    workflow_run_num: 0,
    workflow_node_run_id: 0,
    operation_uuid: "",
    hatchery_type: "vsphere"
  }
]

/** Only a job that begins to wait is of interest; a filter that CDS does not take leaves the poll alone. */
const read = (trouble: Trouble.Trouble) =>
  Effect.fnUntraced(function* (frame: string) {
    const none: ReadonlyArray<JobSighting> = []
    const { status, error, event } = yield* decodeEvent(frame)
    if (status !== "OK") {
      yield* trouble.report("events", `CDS refuses the filter of events: ${error ?? ""}`)
      return none
    }
    if (event?.type_event !== "sdk.EventRunWorkflowJob" || event.status !== "Waiting") return none
    const { id } = yield* decodeJobEvent(event.payload)
    const sighting: JobSighting = {
      id: String(id),
      region: event.region ?? "",
      projectKey: event.project_key ?? "",
      source: "event"
    }
    return [sighting]
  })

export const make = Effect.fnUntraced(function* (
  { http, socket, key, identity }: Means,
  settings: SettingsShape,
  token: NonNullable<SettingsShape["cds"]["token"]>
) {
  const { cds } = settings
  const trouble = yield* Trouble.make("V1")
  const session = yield* Session.make(http, trouble, SigninV1.make(http, settings, token, key))
  const { workers, heartbeat: beat, cdn } = Hatchery.make(session, cds, identity, Hatchery.routesV1)

  /** One that is disabled already, or gone, is as it should be. */
  const disable = ({ id }: CdsWorker) =>
    session
      .call({ name: "disable", method: "POST", path: `/worker/${segment(id)}/disable` })
      .pipe(
        Effect.asVoid,
        Effect.catch(settled(workers, (all) => all.every((worker) => worker.id !== id || worker.status === "Disabled")))
      )

  /** CDS deletes a hatchery that it has not heard of for three minutes, and refuses its heartbeats from then on; a signin brings it back. */
  const heartbeat = Effect.fnUntraced(function* (status: MonitoringStatus) {
    const held = yield* Effect.mapError(session.held, Session.asCdsError("heartbeat"))
    yield* Effect.catchIf(
      beat(status),
      ({ id }) => id === ErrorId.forbidden,
      () => Effect.andThen(session.drop(held), beat(status))
    )
  })

  const queue = QueueV1.make(session, settings, { list: workers, disable })

  const sightings = Sightings.make(
    {
      connect: Events.open(socket, session, cds.apiUrl, "/ws", JSON.stringify(filters)),
      read: read(trouble),
      poll: Effect.withSpan(queue.waiting, "Cds.poll"),
      pollIntervalMs: cds.pollIntervalMs
    },
    trouble
  )

  const signout = session
    .end({ name: "signout", method: "POST", path: "/auth/consumer/signout" })
    .pipe(Effect.timeout("5 seconds"), Effect.ignore)

  const side: Side = {
    name: "V1",
    signin: Signin.untilSignedIn(session, trouble, cds.apiUrl),
    region: Effect.as(session.latest, settings.region),
    trouble: trouble.current,
    queue,
    sightings,
    workers,
    heartbeat,
    cdn
  }
  return { ...side, disable, signout, ...ModelsV1.make(session) }
})
