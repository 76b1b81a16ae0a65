/** What the mutations test is written in: a mechanism, how it is broken, and the properties that must notice. */

/** One test, by its file and its title. */
export interface Property {
  readonly file: string
  readonly title: string
}

/** One place in the source: `find` is there exactly once. */
export interface Patch {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutation {
  /** The mechanism, as the design calls it. */
  readonly mechanism: string
  /** What is different in the broken source, as a sentence. */
  readonly broken: string
  /** All places where the mechanism is: one that is held in two layers is taken out of both. */
  readonly patches: ReadonlyArray<Patch>
  /** Each of these fails in the broken source. */
  readonly caughtBy: ReadonlyArray<Property>
}
