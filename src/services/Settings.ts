/** The configuration in force. `layers/config` provides it from a file; tests start from `defaults` in `schema/config/defaults.ts`. */
import { Context } from "effect"
import type { SettingsShape } from "../schema/Settings.ts"

export type * from "../schema/Settings.ts"

export class Settings extends Context.Service<Settings, SettingsShape>()("rookery/services/Settings") {}
