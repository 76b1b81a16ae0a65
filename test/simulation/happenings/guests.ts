/** What goes wrong inside guests: the next boots. */
import type { SimFaultInput } from "../../../src/layers/simulated/vcenter/FaultBook.ts"
import type { Dice } from "../Dice.ts"
import type { Kinds } from "../plan.ts"
import { fault } from "./vcenter.ts"

type How = Extract<SimFaultInput, { readonly _tag: "GuestFails" }>["how"]

const guest = (how: How) => (dice: Dice) => fault({ _tag: "GuestFails", how, count: dice.pick([1, 1, 3]) })

export const guests: Kinds = {
  "guest never boots": guest("NeverBoots"),
  "Tools never run": guest("ToolsNever"),
  "customization fails": guest("CustomizationFails"),
  "guest has a wrong address": guest("WrongAddress"),
  "guest has no address": guest("NoAddress"),
  "guest dies": (dice) =>
    fault({ _tag: "GuestFails", how: "Dies", count: 1, afterMs: dice.pick([100, 5_000, 60_000, 180_000]) })
}
