/** The sections of the specification (seed 001) that ask for behaviour, and which of them are also judged on the wire, by parts that nobody here wrote. */
export interface Section {
  /** What the names of its files in this folder begin with. */
  readonly file: string
  readonly number: string
  readonly title: string
  /** Files of test/real in which it is judged too. */
  readonly wire: ReadonlyArray<string>
}

const section = (file: string, number: string, title: string, ...wire: ReadonlyArray<string>): Section => ({
  file,
  number,
  title,
  wire
})

/**
 * Two sections have the number 13; section 12 is numbered 14 within. Sections 1, 2 and 10 tell how the Go hatchery is built inside; of section 2 the
 * line between CDS and hatchery is judged, as the CDS contract describes it.
 */
export const sections: ReadonlyArray<Section> = [
  section(
    "02",
    "2",
    "The CDS API, V1 side",
    "v1.test.ts",
    "spawn.test.ts",
    "cds.test.ts",
    "cds/jobs.test.ts",
    "cds/hatcheries.test.ts"
  ),
  section("03", "3", "Configuration", "settings.test.ts"),
  section("04", "4", "Worker models", "vsphere.test.ts", "v1.test.ts", "cds/jobs.test.ts"),
  section("05", "5", "Annotations", "cds/hatcheries.test.ts"),
  section("06.1", "6.1", "Initialization", "hatchery.test.ts", "settings.test.ts"),
  section(
    "06.2",
    "6.2",
    "Spawning a worker",
    "hatchery.test.ts",
    "faults.test.ts",
    "crashes.test.ts",
    "traffic.test.ts",
    "spawn.test.ts"
  ),
  section("06.3", "6.3", "Pre-provisioning", "hatchery.test.ts", "crashes.test.ts"),
  section("06.4", "6.4", "Capacity and MaxWorker", "cds/jobs.test.ts"),
  section("06.5", "6.5", "Spawn eligibility"),
  section("06.6", "6.6", "Resource allocation"),
  section("06.7", "6.7", "Model registration", "v1.test.ts", "cds/jobs.test.ts"),
  section("06.8", "6.8", "Default V2 models of V1 jobs", "v1.test.ts", "cds/jobs.test.ts"),
  section("07", "7", "IP addresses", "kills.test.ts"),
  section(
    "08",
    "8",
    "Cleanup",
    "hatchery.test.ts",
    "crashes.test.ts",
    "kills.test.ts",
    "doubt.test.ts",
    "cds/hatcheries.test.ts"
  ),
  section("09", "9", "vSphere client", "vsphere.test.ts", "traffic.test.ts"),
  section("11", "11", "Limitations"),
  section("12", "12", "Resource-based capacity"),
  section("13-metrics", "13", "Metrics", "doubt.test.ts"),
  section("13-flavors", "13", "Flavors", "spawn.test.ts", "v1.test.ts")
]

/** Where VMware's simulator is not like a vCenter (vsphere-behaviour 16), so that nothing is shown on the wire. */
export const unseen: ReadonlyArray<string> = [
  "a rename leaves no event, so that rules from events (8.1, a machine renamed and never started) find none",
  "a linked clone gets no disk of its own over the template's snapshot",
  "the figures of a resource pool do not move with the machines in it",
  "a running machine takes another number of CPUs, which vCenter refuses"
]

export const wireNote = (): string =>
  [
    `Also on the wire: sections ${sections.flatMap(({ number, wire }) => (wire.length === 0 ? [] : [number])).join(", ")}.`,
    "Not shown there, because VMware's simulator is not like a vCenter:",
    ...unseen.map((text) => `- ${text}`)
  ].join("\n")
