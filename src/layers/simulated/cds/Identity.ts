/** The hatcheries that the simulated API lets in, and their consumer tokens (cds-contract 2.1). */
import { Option, Schema } from "effect"
import { readToken, signConsumerToken } from "./Keys.ts"
import type { ConsumerTokenType } from "./Keys.ts"
import type { State } from "./State.ts"
import { sharedInfra } from "./v1/Model.ts"

export interface Identity {
  readonly name: string
  /** The region that its V2 side is granted. */
  readonly region: string
  /** The consumer token to accept, compared as a whole; one is made and signed when it is absent. The same for the V1 side. */
  readonly token?: string
  readonly tokenV1?: string
  /** What the V1 consumer was made for: a signin that says otherwise is refused; absent: it may say what it likes. */
  readonly regionV1?: string
  readonly ignoreJobWithNoRegion?: boolean
  /** The groups of the V1 consumer; `shared.infra` alone unless given. */
  readonly groups?: ReadonlyArray<string>
}

/** An identity with both its tokens. */
export type Registered = Identity & { readonly token: string; readonly tokenV1: string }

const yearInSeconds = 365 * 24 * 3600

/** Makes the hatchery's consumers, with tokens that are valid for a year from `now` (milliseconds) unless they are given. */
export const register = (state: State, identity: Identity, now: number): Registered => {
  const { keys, uuid } = state.options
  const consumerId = uuid()
  const iat = Math.floor(now / 1000)
  const expire = iat + yearInSeconds
  const token = identity.token ?? signConsumerToken(keys, { consumerId, iat, expire })
  state.hatcheries.set(identity.name, {
    id: uuid(),
    consumerId,
    name: identity.name,
    region: identity.region,
    token,
    modelType: "",
    publicKey: "",
    httpUrl: "",
    config: null,
    signins: 0,
    lastHeartbeatAt: undefined,
    statusLines: []
  })
  const consumer = state.v1.addConsumer((id) => ({
    name: identity.name,
    token:
      identity.tokenV1 ?? signConsumerToken(keys, { type: "signinBuiltinConsumerToken", consumerId: id, iat, expire }),
    region: identity.regionV1,
    ignoreJobWithNoRegion: identity.ignoreJobWithNoRegion,
    groups: identity.groups ?? [sharedInfra]
  }))
  return { ...identity, token, tokenV1: consumer.token }
}

const TokenPayload = Schema.Struct({ type: Schema.String, expire: Schema.Finite })

/** Why a consumer token is not accepted now; undefined when it is. A token that is no JWS at all has no expiry to look at. */
export const tokenFlaw = (token: string, type: ConsumerTokenType, now: number): string | undefined => {
  const payload = Option.getOrUndefined(Schema.decodeUnknownOption(TokenPayload)(readToken(token)?.payload))
  if (payload === undefined) return undefined
  if (payload.type !== type) return `token is of type ${payload.type}`
  return payload.expire > 0 && payload.expire * 1000 <= now ? "token has expired" : undefined
}
