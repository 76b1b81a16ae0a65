/** The chance of a plan: the same seed throws the same numbers (mulberry32). */
export class Dice {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** From 0 up to 1, without it. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }

  chance(share: number): boolean {
    return this.next() < share
  }

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1))
  }

  /** So many seconds, in milliseconds. */
  seconds(least: number, most: number): number {
    return this.between(least, most) * 1_000
  }

  minutes(least: number, most: number): number {
    return this.seconds(least * 60, most * 60)
  }

  pick<A>(list: ReadonlyArray<A>): A {
    return list[this.between(0, list.length - 1)]!
  }
}
