import { assert, describe, it } from "@effect/vitest"
import { type Annotation, believed, parse, print } from "../../src/schema/Annotation.ts"

const created = Date.UTC(2026, 3, 15, 8, 30, 0, 250)

const empty: Annotation = {
  hatcheryName: "rookery",
  workerName: undefined,
  registerOnly: false,
  provisioning: false,
  workerModelPath: undefined,
  vmwareModelPath: undefined,
  workerModelLastModified: undefined,
  model: false,
  created: undefined,
  workerStartTime: undefined,
  jobId: undefined,
  ipAddress: undefined,
  journal: undefined
}

const whole: Annotation = {
  hatcheryName: "rookery",
  workerName: "busy-lovelace",
  registerOnly: true,
  provisioning: true,
  workerModelPath: "shared.infra/debian",
  vmwareModelPath: "debian12",
  workerModelLastModified: "1700000000",
  model: true,
  created,
  workerStartTime: created + 1_000,
  jobId: "42",
  ipAddress: "10.0.0.2",
  journal: {
    v: 1,
    state: "renamed",
    generation: 4,
    instance: "a",
    name: "busy-lovelace",
    worker: "busy-lovelace",
    since: "2026-04-15T08:30:00.000Z",
    poolName: "provision-v2-calm-turing",
    region: "default",
    model: "debian",
    project: "PROJ",
    cpus: 2,
    memoryMB: 4096,
    reason: "none",
    settlement: "release"
  }
}

const read = (text: string): Annotation => {
  const annotation = parse(text)
  if (annotation === undefined) throw new Error("this is nobody's annotation")
  return annotation
}

const dated = (created: string) => read(JSON.stringify({ hatchery_name: "rookery", created })).created

describe("writing an annotation", () => {
  it("puts the Go hatchery's keys in its order, and ours last", () => {
    assert.deepStrictEqual(Object.keys(JSON.parse(print(whole))), [
      "hatchery_name",
      "worker_name",
      "register_only",
      "provisioning",
      "worker_model_path",
      "vmware_model_path",
      "worker_model_last_modified",
      "model",
      "created",
      "worker_start_time",
      "job_id",
      "ip_address",
      "rookery"
    ])
  })

  it("leaves out what is empty or false", () => {
    assert.strictEqual(print(empty), '{"hatchery_name":"rookery"}')
    assert.strictEqual(print({ ...empty, workerName: "", jobId: "" }), '{"hatchery_name":"rookery"}')
  })

  it("writes dates as RFC 3339 in UTC", () => {
    assert.strictEqual(print({ ...empty, created }), '{"hatchery_name":"rookery","created":"2026-04-15T08:30:00.250Z"}')
  })

  it("escapes what Go's encoder escapes", () => {
    assert.strictEqual(
      print({ ...empty, workerName: 'a<b>&c\u2028\u2029"é' }),
      String.raw`{"hatchery_name":"rookery","worker_name":"a\u003cb\u003e\u0026c\u2028\u2029\"é"}`
    )
  })

  it("comes back as it was", () => {
    assert.deepStrictEqual(read(print(whole)), whole)
    assert.deepStrictEqual(read(print(empty)), empty)
  })
})

describe("reading an annotation", () => {
  it("needs a hatchery's name and nothing else", () => {
    assert.deepStrictEqual(read('{"hatchery_name":"rookery"}'), empty)
    for (const text of ['{"worker_name":"w"}', '{"hatchery_name":""}', "{}"]) assert.strictEqual(parse(text), undefined)
  })

  it("finds nothing in text that is no JSON object", () => {
    for (const text of ["", " ", "note", "[]", "null", '"rookery"', "42", '{"hatchery_name":"rookery"', "{'a':1}"])
      assert.strictEqual(parse(text), undefined, text)
  })

  it("takes the first JSON value and leaves what follows it", () => {
    for (const rest of [" and a note", "\n{}", '{"hatchery_name":"other"}', "}"])
      assert.strictEqual(parse(`{"hatchery_name":"rookery"}${rest}`)?.hatcheryName, "rookery", rest)
    const nested = String.raw`{"hatchery_name":"a}\"{","x":[{"y":"]"}]} tail`
    assert.strictEqual(parse(nested)?.hatcheryName, 'a}"{')
  })

  it("takes leading white space and unknown keys", () => {
    const text = '\n  {"note":{"deep":[1]},"hatchery_name":"rookery","ip_address":"10.0.0.2"}'
    assert.strictEqual(parse(text)?.ipAddress, "10.0.0.2")
  })

  it("finds nothing where a known key has a value of another type: the Go hatchery would not own it either", () => {
    for (const [key, value] of [
      ["hatchery_name", 1],
      ["provisioning", "true"],
      ["model", 1],
      ["job_id", 42],
      ["created", 1_700_000_000]
    ])
      assert.strictEqual(parse(JSON.stringify({ hatchery_name: "rookery", [String(key)]: value })), undefined, `${key}`)
  })

  it("takes a null for an absent value, as Go does", () => {
    assert.deepStrictEqual(
      read('{"hatchery_name":"rookery","worker_name":null,"provisioning":null,"created":null}'),
      empty
    )
  })

  it("reads Go's dates: nanoseconds, an offset, and the zero date as none", () => {
    assert.strictEqual(dated("2026-04-15T10:30:00.250123456+02:00"), created)
    assert.strictEqual(dated("2026-04-15T08:30:00.25Z"), created)
    assert.strictEqual(dated("0001-01-01T00:00:00Z"), undefined)
  })

  it("leaves a key of ours that has not its shape, and keeps the rest", () => {
    for (const rookery of [1, null, {}, { ...whole.journal, v: 2 }, { ...whole.journal, generation: 1.5 }]) {
      const annotation = read(JSON.stringify({ hatchery_name: "rookery", worker_name: "w", rookery }))
      assert.strictEqual(annotation.journal, undefined)
      assert.strictEqual(annotation.workerName, "w")
    }
  })
})

describe("our key", () => {
  it("is believed while machine and worker have the names that it was written with", () => {
    assert.strictEqual(believed(whole, "busy-lovelace"), whole.journal)
    assert.strictEqual(believed(whole, "provision-v2-calm-turing"), undefined)
    assert.strictEqual(believed({ ...whole, workerName: "other" }, "busy-lovelace"), undefined)
    assert.strictEqual(believed({ ...whole, workerName: undefined }, "busy-lovelace"), undefined)
    assert.strictEqual(believed({ ...whole, journal: undefined }, "busy-lovelace"), undefined)
  })
})
