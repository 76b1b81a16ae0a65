/** What was called, how often and how big, for judges; and the last calls as lines of text, for people. */
export interface OperationTraffic {
  readonly calls: number
  readonly faults: number
  /** Approximate: what compact text would need. */
  readonly bytesIn: number
  readonly bytesOut: number
}

export interface Traffic {
  readonly called: (operation: string, bytesIn: number, bytesOut: number, fault: string | undefined) => void
  /** The property collector read one object. */
  readonly collected: () => void
  readonly objectsCollected: () => number
  readonly operations: () => ReadonlyMap<string, OperationTraffic>
  readonly total: () => OperationTraffic
  /** The latest calls, oldest first: `<milliseconds> <operation> <object> <outcome>`. */
  readonly lines: () => ReadonlyArray<string>
  readonly note: (line: string) => void
}

const keptLines = 5_000
const none: OperationTraffic = { calls: 0, faults: 0, bytesIn: 0, bytesOut: 0 }

const plus = (a: OperationTraffic, b: OperationTraffic): OperationTraffic => ({
  calls: a.calls + b.calls,
  faults: a.faults + b.faults,
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut
})

export const makeTraffic = (): Traffic => {
  const operations = new Map<string, OperationTraffic>()
  const lines: Array<string> = []
  let collected = 0
  return {
    called: (operation, bytesIn, bytesOut, fault) => {
      const call = { calls: 1, faults: fault === undefined ? 0 : 1, bytesIn, bytesOut }
      operations.set(operation, plus(operations.get(operation) ?? none, call))
    },
    collected: () => {
      collected += 1
    },
    objectsCollected: () => collected,
    operations: () => operations,
    total: () => [...operations.values()].reduce(plus, none),
    lines: () => lines,
    note: (line) => {
      lines.push(line)
      if (lines.length > keptLines) lines.splice(0, keptLines / 2)
    }
  }
}
