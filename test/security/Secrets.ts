/** Secrets of a test and the search for them: as they are, quoted, percent-encoded, and in base64 at any place. */

export type Secrets = Readonly<Record<string, string>>

/** The base64 of the text as it stands inside the base64 of something longer, for each of the three places it can begin at. */
const insideBase64 = (text: string): ReadonlyArray<string> =>
  [0, 1, 2].map((before) => {
    const encoded = Buffer.concat([Buffer.alloc(before), Buffer.from(text)]).toString("base64")
    const bits = (before + Buffer.byteLength(text)) * 8
    return encoded.slice(Math.ceil((before * 8) / 6), Math.floor(bits / 6))
  })

const formsOf = (secret: string): ReadonlyArray<string> => [
  secret,
  JSON.stringify(secret).slice(1, -1),
  encodeURIComponent(secret),
  ...insideBase64(secret).flatMap((text) => [text, text.replaceAll("+", "-").replaceAll("/", "_")])
]

/** A part of a long secret is one, too: each line of a key, the signature of a token. */
const partsOf = (secret: string): ReadonlyArray<string> => {
  const lines = secret.split("\n").filter((line) => line.length >= 32 && !line.startsWith("-----"))
  const signature = /^[\w-]+\.[\w-]+\.([\w-]{32,})$/.exec(secret)?.[1]
  return [...(lines.length > 1 ? lines : [secret]), ...(signature === undefined ? [] : [signature])]
}

/** The names of the secrets that the text holds in some form. */
export const leaks = (text: string, secrets: Secrets): ReadonlyArray<string> =>
  Object.entries(secrets)
    .filter(([, secret]) => partsOf(secret).some((part) => formsOf(part).some((form) => text.includes(form))))
    .map(([name]) => name)
