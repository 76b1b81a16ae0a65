/** How a network card is attached: the backing that each kind of network wants. */
import { Effect, Schema } from "effect"
import type { VimError } from "../../schema/Errors.ts"
import { readReference } from "./entities.ts"
import type { VimCalls } from "./retrieval.ts"
import { readObject } from "./retrieval.ts"
import type { WireValue } from "./Vim.ts"
import type { Ref } from "./wire/Values.ts"
import { decodeAnswer, Text } from "./wire/Values.ts"

export interface Network {
  readonly name: string
  /** `VirtualDevice.backing` of a card on this network. */
  readonly backing: WireValue
}

const decodeText = decodeAnswer("RetrievePropertiesEx", Text)
const decodeOpaque = decodeAnswer(
  "RetrievePropertiesEx",
  Schema.Struct({ opaqueNetworkId: Text, opaqueNetworkType: Text })
)

export const readNetwork = Effect.fnUntraced(function* (
  vim: VimCalls,
  ref: Ref,
  name: string
): Effect.fn.Return<Network, VimError> {
  switch (ref.type) {
    case "DistributedVirtualPortgroup":
      return { name, backing: yield* distributed(vim, ref) }
    case "OpaqueNetwork":
      return { name, backing: yield* opaque(vim, ref) }
    default:
      return { name, backing: { _type: "VirtualEthernetCardNetworkBackingInfo", deviceName: name, network: ref } }
  }
})

const distributed = Effect.fnUntraced(function* (vim: VimCalls, portgroup: Ref) {
  const properties = yield* readObject(vim, portgroup, ["key"])
  const portgroupKey = yield* decodeText(properties.get("key"))
  const dvs = yield* readReference(vim, portgroup, "config.distributedVirtualSwitch")
  const switchUuid = yield* decodeText((yield* readObject(vim, dvs, ["uuid"])).get("uuid"))
  return {
    _type: "VirtualEthernetCardDistributedVirtualPortBackingInfo",
    port: { switchUuid, portgroupKey }
  }
})

const opaque = Effect.fnUntraced(function* (vim: VimCalls, network: Ref) {
  const { opaqueNetworkId, opaqueNetworkType } = yield* decodeOpaque(
    (yield* readObject(vim, network, ["summary"])).get("summary")
  )
  return { _type: "VirtualEthernetCardOpaqueNetworkBackingInfo", opaqueNetworkId, opaqueNetworkType }
})
