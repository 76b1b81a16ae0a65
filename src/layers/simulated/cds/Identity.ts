/** The hatcheries that the simulated API lets in, and their consumer tokens (cds-contract 2.1). */
import { signConsumerToken } from "./Keys.ts"
import type { State } from "./State.ts"

export interface Identity {
  readonly name: string
  readonly region: string
  /** The consumer token to accept, compared as a whole; one is made and signed when it is absent. */
  readonly token?: string
}

const yearInSeconds = 365 * 24 * 3600

/** Makes the hatchery's consumer and row, with a token that is valid for a year from `now` (milliseconds) unless one is given. */
export const register = (state: State, identity: Identity, now: number): Required<Identity> => {
  const consumerId = state.options.uuid()
  const iat = Math.floor(now / 1000)
  const token =
    identity.token ?? signConsumerToken(state.options.keys, { consumerId, iat, expire: iat + yearInSeconds })
  state.hatcheries.set(identity.name, {
    id: state.options.uuid(),
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
  return { ...identity, token }
}
