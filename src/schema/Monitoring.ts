/** The monitoring status that `/mon/status` answers and heartbeats carry (cds-contract 3). Keys and values are CDS's own. */

export interface MonitoringLine {
  readonly status: "OK" | "WARN" | "AL"
  readonly component: string
  readonly value: string
}

export interface MonitoringStatus {
  /** Milliseconds since the epoch. */
  readonly now: number
  readonly lines: ReadonlyArray<MonitoringLine>
}
