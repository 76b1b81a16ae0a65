/** Times as people write them in the configuration: `90s`, `1m30s`, `250ms`, `1.5h`. */

const units: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds, or undefined when the text is no time above zero. */
export const parseDuration = (text: string): number | undefined => {
  if (!/^\s*(\d+(\.\d+)?(ms|s|m|h|d)\s*)+$/.test(text)) return undefined
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h|d)/g)]
  const total = Math.round(parts.reduce((sum, [, amount, unit]) => sum + Number(amount) * units[unit!]!, 0))
  return total > 0 && Number.isSafeInteger(total) ? total : undefined
}

/** The shortest text that `parseDuration` reads as this: `1m30s`. */
export const printDuration = (ms: number): string => {
  const parts = [
    [Math.floor(ms / 3_600_000), "h"],
    [Math.floor(ms / 60_000) % 60, "m"],
    [Math.floor(ms / 1_000) % 60, "s"],
    [ms % 1_000, "ms"]
  ] as const
  return parts.map(([count, unit]) => (count === 0 ? "" : `${count}${unit}`)).join("")
}
