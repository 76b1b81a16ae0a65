/**
 * Takes credentials out of a text that comes from outside and is to be told to people: a server may repeat in an error what it was sent, a
 * worker may print its environment.
 */

/** A compact token, or an object as JSON in base64 (such as `CDS_CONFIG`): both begin with the base64 of `{"`. */
const tokens = /eyJ[\w+/=-]{16,}(\.[\w-]+)*/g

/** What is shorter is a word of everyday texts, too. */
const shortest = 8

/** The text without tokens and without these secrets, as they stand or quoted in JSON. */
export const scrub = (text: string, secrets: ReadonlyArray<string> = []): string =>
  secrets
    .filter((secret) => secret.length >= shortest)
    .flatMap((secret) => [secret, JSON.stringify(secret).slice(1, -1)])
    .reduce((rest, secret) => rest.replaceAll(secret, "<redacted>"), text)
    .replace(tokens, "<redacted>")
