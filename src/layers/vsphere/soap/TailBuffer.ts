/** The last bytes of a stream of any length. */
export class TailBuffer {
  readonly #limit: number
  #chunks: Array<Uint8Array> = []
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  add(chunk: Uint8Array): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    while (this.#length - (this.#chunks[0]?.length ?? 0) >= this.#limit && this.#chunks.length > 0)
      this.#length -= this.#chunks.shift()?.length ?? 0
  }

  /** At most `limit` bytes, the newest. */
  bytes(): Uint8Array {
    const all = Buffer.concat(this.#chunks)
    return new Uint8Array(all.subarray(Math.max(0, all.length - this.#limit)))
  }
}
