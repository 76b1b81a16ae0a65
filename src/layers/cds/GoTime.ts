/** The date that CDS wants in `Date` and `X-CDS-RemoteTime`: Go layout `2 Jan 2006 15:04:05 -0700`, no weekday, day not padded. */
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

const two = (n: number) => String(n).padStart(2, "0")

/** `millis` since the epoch, told in UTC. */
export const goTime = (millis: number): string => {
  const at = new Date(millis)
  const clock = [at.getUTCHours(), at.getUTCMinutes(), at.getUTCSeconds()].map(two).join(":")
  return `${at.getUTCDate()} ${months[at.getUTCMonth()]} ${at.getUTCFullYear()} ${clock} +0000`
}
