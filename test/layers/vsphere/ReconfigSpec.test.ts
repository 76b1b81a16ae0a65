import { assert, describe, it } from "@effect/vitest"
import { reconfigSpec, sizeSpec } from "../../../src/layers/vsphere/ReconfigSpec.ts"

describe("a reconfigure", () => {
  it("keeps the cores per socket where they divide the CPUs, and makes sockets smaller where they do not", () => {
    assert.deepStrictEqual(sizeSpec({ cpus: 8, memoryMB: 1 }, 4), { numCPUs: 8, memoryMB: 1 })
    assert.deepStrictEqual(sizeSpec({ cpus: 6, memoryMB: 1 }, 4), { numCPUs: 6, numCoresPerSocket: 2, memoryMB: 1 })
    assert.deepStrictEqual(sizeSpec({ cpus: 3, memoryMB: 1 }, 2), { numCPUs: 3, numCoresPerSocket: 1, memoryMB: 1 })
  })

  it("names only what changes, in the order of the schema", () => {
    const spec = reconfigSpec("v1", { size: { cpus: 2, memoryMB: 512 }, annotation: "a", name: "n" }, 1)
    assert.strictEqual(
      JSON.stringify(spec),
      '{"changeVersion":"v1","name":"n","annotation":"a","numCPUs":2,"memoryMB":512}'
    )
    assert.strictEqual(JSON.stringify(reconfigSpec("v1", { name: "n" }, 1)), '{"changeVersion":"v1","name":"n"}')
    assert.strictEqual(
      JSON.stringify(reconfigSpec("v1", { size: { cpus: 2, memoryMB: 512 } }, 1, [{ operation: "edit" }])),
      '{"changeVersion":"v1","numCPUs":2,"memoryMB":512,"deviceChange":[{"operation":"edit"}]}'
    )
  })
})
