import { assert, describe, it } from "@effect/vitest"
import type { Action } from "../../../src/actors/vm/Action.ts"
import { isEnd, type VmState } from "../../../src/actors/vm/State.ts"
import * as sample from "./sample.ts"
import { after, asks, env, find, machine, states } from "./sample.ts"

const frozen = <T>(value: T): T => {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value)
    for (const inner of Object.values(value)) frozen(inner)
  }
  return value
}

describe("the table", () => {
  const all = Object.values<VmState>(states).flatMap((state) => sample.events.map((event) => ({ state, event })))

  it("is total and pure: every state takes every event, changes nothing it is given, and answers the same twice", () => {
    for (const { state, event } of all) {
      const vm = frozen(machine(state))
      const first = after(vm, frozen(event), frozen(env))
      assert.deepStrictEqual(after(vm, event, env), first)
    }
    assert.strictEqual(all.length, 32 * 26)
  })

  it("gives every state but the ends a deadline, wherever it comes from", () => {
    for (const { state, event } of all) {
      const { vm } = after(machine(state), event)
      assert.strictEqual(vm.deadline === undefined, isEnd(vm.state), `${state._tag} on ${event._tag}`)
    }
  })

  it("changes nothing after the end", () => {
    for (const state of [states.reaped, states.ceded, states.templated])
      for (const event of sample.events) {
        const vm = machine(state)
        assert.deepStrictEqual(after(vm, event), { vm, actions: [], entered: false })
      }
  })

  it("frees the place once on every way to an end, the address of what is gone alone, and a clone's slot once", () => {
    for (const { state, event } of all) {
      if (isEnd(state)) continue
      const step = after(machine(state), event)
      const count = (tag: Action["_tag"]) => asks(step).filter((one) => one === tag).length
      const { _tag } = step.vm.state
      assert.strictEqual(count("FreeIp"), _tag === "Reaped" || _tag === "Templated" ? 1 : 0)
      if (isEnd(step.vm.state)) assert.strictEqual(count("FreeCapacity"), 1)
      const cloned = state._tag === "Cloning" && step.vm.state._tag !== "Cloning"
      assert.strictEqual(count("CloneEnded"), cloned ? 1 : 0, `${state._tag} on ${event._tag}`)
    }
  })

  it("never loses a job: a claim is carried on, or settled, or was never taken", () => {
    for (const { state, event } of all) {
      if (!("claim" in state) || state.claim === undefined || state._tag === "Reserved") continue
      const step = after(machine(state), event)
      const kept = "claim" in step.vm.state || (step.vm.state._tag === "Held" && "claim" in step.vm.state.was)
      const settled = event._tag === "Settled" || event._tag === "Refused" || find(step, "SettleJob") !== undefined
      assert.isTrue(kept || settled, `${state._tag} on ${event._tag}`)
    }
  })
})
