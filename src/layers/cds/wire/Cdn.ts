/** The answer of `GET /v2/config/cdn` (cds-contract 2.5). */
import { Schema } from "effect"
import { text } from "./fields.ts"

export const WireCdn = Schema.Struct({
  http_url: text,
  tcp_url: text,
  tcp_url_enable_tls: Schema.optionalKey(Schema.NullOr(Schema.Boolean))
})
