/** What a V1 job asks of its worker, or a V1 model offers (cds-contract 4.1). */
import { Schema } from "effect"
import type { Requirement } from "../../../schema/Job.ts"
import { text } from "./fields.ts"

export const WireRequirement = Schema.Struct({ name: text, type: Schema.String, value: text })

export const toRequirements = (
  wire: ReadonlyArray<typeof WireRequirement.Type> | null | undefined
): ReadonlyArray<Requirement> =>
  (wire ?? []).map(({ name, type, value }) => ({ name: name ?? "", type, value: value ?? "" }))
