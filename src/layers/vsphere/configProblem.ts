/** What of vCenter's refusals no retry can repair, told as the setting that is wrong. */
import { ConfigInvalid, VimFault, VimUnreachable } from "../../schema/Errors.ts"

const problem = (path: string, value: string, rule: string) => new ConfigInvalid({ problems: [{ path, value, rule }] })

/** A refused login is tried once, since vCenter locks accounts; a refused certificate stays refused. Undefined for what may pass. */
export const configProblem = (error: unknown): ConfigInvalid | undefined => {
  if (error instanceof ConfigInvalid) return error
  if (error instanceof VimFault && error.fault === "InvalidLogin")
    return problem("hatchery.vsphere.user, hatchery.vsphere.password", "<redacted>", error.message)
  if (error instanceof VimUnreachable && error.setting !== undefined)
    return problem(error.setting, "(does not fit)", error.reason)
  return undefined
}
