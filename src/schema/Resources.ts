/** What the place where machines are put has left, as vCenter shows it (seed 001 sections 12 and 13; vsphere-behaviour 9.1). */

/** Of a resource pool. `unreserved` counts reservations, not use: what machines may still reserve (`unreservedForVm`). */
export interface PoolUsage {
  readonly max: number
  readonly used: number
  readonly unreserved: number
}

/** What cannot be read now is undefined. */
export interface Resources {
  /** MHz */
  readonly cpu: PoolUsage | undefined
  /** Bytes. */
  readonly memory: PoolUsage | undefined
  /** Bytes free on the datastore that clones are put on. */
  readonly freeSpace: number | undefined
}
