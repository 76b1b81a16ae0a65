/** The mechanisms that the promises rest on (design, section 3), each broken once, with the properties that notice. */
import type { Mutation, Property } from "./Mutation.ts"

const properties =
  (file: string) =>
  (title: string): Property => ({ file, title })
const mechanism = properties("test/simulation/properties.test.ts")
const dispatcher = properties("test/actors/jobs/Dispatcher.test.ts")
const reaper = properties("test/actors/watch/Reaper.test.ts")
const nursery = properties("test/actors/pool/Nursery.test.ts")
const nurseryV1 = properties("test/actors/pool/NurseryV1.test.ts")
const transition = properties("test/actors/vm/transition.test.ts")
const table = properties("test/actors/vm/table.test.ts")
const claims = properties("test/regressions/claim.test.ts")
const inventory = properties("test/layers/vsphere/inventory.test.ts")
const reconfigure = properties("test/layers/vsphere/reconfigure.test.ts")
const models = properties("test/regressions/models.test.ts")
const registrar = properties("test/actors/models/Registrar.test.ts")
const modelTemplates = properties("test/conformance/04-worker-models.test.ts")
const registration = properties("test/conformance/06.7-registration.test.ts")
const ledger = properties("test/layers/memory/Capacity.test.ts")
const capacity = properties("test/conformance/12-capacity.test.ts")
const fairness = properties("test/conformance/12-fairness.test.ts")
const rival = properties("test/actors/watch/Rival.test.ts")

const nothingInDoubt = {
  old: mechanism("that is old keeps every machine as it is, whatever is due; with the doubt that is over"),
  shrunken: mechanism(
    "that has lost a machine keeps every machine as it is, whatever is due; with the doubt that is over"
  )
}
const othersLeftAlone = mechanism("that says word for word what ours say, but for the name, is left alone")

export const mutations: ReadonlyArray<Mutation> = [
  {
    mechanism: "lease before claim",
    broken: "a machine is chosen for a job and not leased for it",
    patches: [
      {
        file: "src/actors/jobs/assignment.ts",
        find: "    oldest.lease = job.id\n",
        replace: ""
      },
      { file: "src/actors/Registry.ts", find: "        handle.lease = claim.jobId\n", replace: "" }
    ],
    caughtBy: [dispatcher("ten jobs with room for three: never more than three workers, each job run once")]
  },
  {
    mechanism: "lease before claim",
    broken: "a machine that is reserved takes a second reservation in the place of the first",
    patches: [
      {
        file: "src/actors/vm/claiming.ts",
        find: `    Gone: seenGone("it went while it was claimed"),
    Reserve: tooLate()`,
        replace: `    Gone: seenGone("it went while it was claimed"),
    Reserve: cell(["Reserved"], "leased anew", (vm, { claim }, env) =>
      enter(vm, { _tag: "Reserved", claim, cancelled: undefined }, env)
    )`
      }
    ],
    caughtBy: [transition("is leased once: a second reservation is returned without touching the first")]
  },
  {
    mechanism: "changeVersion guard",
    broken: "a reconfigure is sent without the version that it was decided upon",
    patches: [
      {
        file: "src/layers/vsphere/ReconfigSpec.ts",
        find: "): WireValue => ({\n  changeVersion,\n",
        replace: "): WireValue => ({\n"
      }
    ],
    caughtBy: [
      mechanism("refuses the late write of another process of the same name: each machine is claimed once for a job"),
      claims("16: a machine that somebody else claims in the same moment is theirs, and the job gets another one"),
      reconfigure("concedes when what was decided upon is not there any more")
    ]
  },
  {
    mechanism: "intent before take",
    broken: "a job is taken first and written on its ready machine then",
    patches: [
      {
        file: "src/actors/vm/works/claim.ts",
        find: "      const claim = claimOf(work.vm().state)\n",
        replace: `      const claim = claimOf(work.vm().state)
      if (claim !== undefined) yield* taking(claim, false)
`
      },
      {
        file: "src/actors/vm/works/claim.ts",
        find: "taking(state.claim, state.resumed)",
        replace: "taking(state.claim, true)"
      }
    ],
    caughtBy: [
      mechanism("is found by the next process when this one is killed while it takes a job for a ready machine")
    ]
  },
  {
    mechanism: "intent before take",
    broken: "a job is taken first and its clone, which names it, is asked for then",
    patches: [
      {
        file: "src/actors/vm/works/hatch.ts",
        find: `      const made = yield* clone(work, Effect.asVoid(Effect.forkIn(take, scope)), outdone(work, claim.jobId))
      yield* Deferred.await(answered)
`,
        replace: `      yield* Effect.forkIn(take, scope)
      yield* Deferred.await(answered)
      const made = yield* clone(work, Effect.void, outdone(work, claim.jobId))
`
      }
    ],
    caughtBy: [
      mechanism("is found by the next process when this one is killed while it takes a job for a clone of its own")
    ]
  },
  {
    mechanism: "freeze",
    broken: "a removal does not wait for a view that can be trusted",
    patches: [
      {
        file: "src/actors/vm/works/reap.ts",
        find: "      yield* inventory.certain\n      const ref = ",
        replace: "      const ref = "
      },
      {
        file: "src/actors/vm/works/reap.ts",
        find: "        yield* inventory.certain\n        if (yield* signedInLate",
        replace: "        if (yield* signedInLate"
      },
      {
        file: "src/actors/vm/works/reap.ts",
        find: "Effect.andThen(inventory.certain, vsphere.destroy(ref))",
        replace: "vsphere.destroy(ref)"
      }
    ],
    caughtBy: [nothingInDoubt.old, nothingInDoubt.shrunken]
  },
  {
    mechanism: "freeze",
    broken: "a pass of the reaper does not care for doubt",
    patches: [
      {
        file: "src/actors/watch/Reaper.ts",
        find: "        if ((yield* inventory.doubt) !== undefined) return\n",
        replace: ""
      }
    ],
    caughtBy: [reaper("is left out while the view of vCenter is in doubt")]
  },
  {
    mechanism: "freeze",
    broken: "no view is ever in doubt",
    patches: [
      {
        file: "src/layers/vsphere/Certainty.ts",
        find: "    const found = this.judge(now)\n    if (found === undefined) return undefined\n",
        replace: "    const found = this.judge(now)\n    if (found === undefined || now >= 0) return undefined\n"
      }
    ],
    caughtBy: [
      nothingInDoubt.old,
      nothingInDoubt.shrunken,
      inventory("comes with the age of the view, and ends with the next answer")
    ]
  },
  {
    mechanism: "freeze",
    broken: "machines that vanish at once are gone at once",
    patches: [
      {
        file: "src/layers/vsphere/Mirror.ts",
        find: "const doubted = denied ? absent : surprising.length > 0 && suspicious ? fresh : []",
        replace: "const doubted: ReadonlyArray<MachineRef> = []"
      }
    ],
    caughtBy: [
      nothingInDoubt.shrunken,
      inventory("keeps machines that vanish at once until they are back: none is told gone")
    ]
  },
  {
    mechanism: "IP until gone",
    broken: "an address is free when the removal of its machine begins, and what machines are seen to have is free too",
    patches: [
      {
        file: "src/actors/vm/moves.ts",
        find: "  const actions: Array<Action> = [...more]\n",
        replace: '  const actions: Array<Action> = [...more, { _tag: "FreeIp" }]\n'
      },
      {
        file: "src/layers/memory/IpPool.ts",
        find: "leased.has(ip) || written.has(ip) || active.has(ip)",
        replace: "leased.has(ip)"
      }
    ],
    caughtBy: [
      mechanism("is not given away while the machine that had it cannot be removed"),
      table("frees the place once on every way to an end, the address of what is gone alone, and a clone's slot once")
    ]
  },
  {
    mechanism: "owner check",
    broken: "every machine with an annotation like ours is adopted",
    patches: [
      {
        file: "src/actors/vm/prove.ts",
        find: "annotation === undefined || annotation.hatcheryName !== env.hatchery",
        replace: "annotation === undefined"
      }
    ],
    caughtBy: [nursery("counts the machines of this hatchery alone")]
  },
  {
    mechanism: "owner check",
    broken:
      "nobody asks whose a machine is: not on adoption, not when it is seen, not before a write, not before a call",
    patches: [
      {
        file: "src/actors/vm/prove.ts",
        find: "annotation === undefined || annotation.hatcheryName !== env.hatchery",
        replace: "annotation === undefined"
      },
      {
        file: "src/actors/vm/cells.ts",
        find: "if (ownerOf(facts) !== env.hatchery) return cede(",
        replace: "if (ownerOf(facts) === undefined) return cede("
      },
      {
        file: "src/actors/vm/works/record.ts",
        find: "if (annotation?.hatcheryName !== env.hatchery) return false",
        replace: "if (annotation === undefined) return false"
      },
      {
        file: "src/layers/vsphere/MachineCalls.ts",
        find: "return owner === cds.name\n",
        replace: "return owner !== undefined\n"
      }
    ],
    caughtBy: [
      othersLeftAlone,
      claims("16: the ready machines of another hatchery on the same vCenter are not touched")
    ]
  },
  {
    mechanism: "V1 templates",
    broken: "the template of a model is put aside before its successor is built",
    patches: [
      {
        file: "src/actors/models/Registrar.ts",
        find: `          case "Missing":
            return yield* build(model)
`,
        replace: `          case "Missing":
            for (const older of yield* machines) if (older.name === model.name) yield* putAside(older)
            return yield* build(model)
`
      }
    ],
    caughtBy: [
      models(
        "77: a build that fails leaves no machine and no address taken, and the template of the model is there all the while"
      )
    ]
  },
  {
    mechanism: "V1 templates",
    broken: "a template that was replaced is destroyed, whatever descends from it",
    patches: [
      {
        file: "src/actors/models/modelTemplates.ts",
        find: "isUnneeded(one) && !descend.some((stamp) => sameStamp(stamp, one.stamp))",
        replace: "isUnneeded(one) && descend.length >= 0"
      }
    ],
    caughtBy: [
      modelTemplates("stays while a machine in vCenter carries it, or one that does not show yet"),
      registrar("keeps the old one aside as long as a machine of its stamp is there")
    ]
  },
  {
    mechanism: "V1 templates",
    broken: "the template that a model has now is taken for one that was replaced",
    patches: [
      {
        file: "src/actors/models/modelTemplates.ts",
        find: "path === stamp.path && template !== facts",
        replace: "path === stamp.path && template.id !== ''"
      }
    ],
    caughtBy: [registrar("is built once: a later process finds the template by its stamp")]
  },
  {
    mechanism: "V1 models",
    broken: "one list that lacks a model is enough for its pool and its template to go",
    patches: [
      {
        file: "src/actors/models/WorkerModels.ts",
        find: "!listings.some((listing) => mayHold(listing, path))",
        replace: "!listings.slice(-1).some((listing) => mayHold(listing, path))"
      }
    ],
    caughtBy: [nurseryV1("stays when one list lacks the model, and goes when the next one lacks it too")]
  },
  {
    mechanism: "booking before claim",
    broken: "a machine is cloned to register a model that was not booked for it",
    patches: [
      {
        file: "src/actors/models/Registrar.ts",
        find: "          yield* cds.bookModel(model)\n",
        replace: ""
      }
    ],
    caughtBy: [registration("is left to another hatchery that has booked it: nothing is cloned for it")]
  },
  {
    mechanism: "capacity",
    broken: "nobody asks what the resource pool has left",
    patches: [
      {
        file: "src/layers/memory/Capacity.ts",
        find: "      if (pool !== undefined) return pool\n",
        replace: ""
      }
    ],
    caughtBy: [
      ledger("refuses the worker that needs more memory, or any worker when its CPU is all reserved, with the numbers"),
      capacity("a count alone: the resource pool is a safety net"),
      capacity("no limit of ours: the resource pool decides")
    ]
  },
  {
    mechanism: "capacity",
    broken: "what is starting takes nothing of what the resource pool has left",
    patches: [
      {
        file: "src/layers/memory/Capacity.ts",
        find: "size.memoryMB > left - startingMB)",
        replace: "size.memoryMB > left)"
      }
    ],
    caughtBy: [
      ledger("has no room for what is starting already, which its figures do not show yet"),
      capacity("has room for one more worker only once those that start are on: several at once take it once")
    ]
  },
  {
    mechanism: "turns",
    broken: "a job takes its machine as soon as it is read",
    patches: [
      {
        file: "src/actors/jobs/Dispatcher.ts",
        find: "        yield* entry.turn.await\n",
        replace: ""
      }
    ],
    caughtBy: [
      fairness("of V2 does not hold up another's two of V1, with a pool: they get the next machines"),
      fairness("of V2 does not hold up another's two of V1, with clones: they get the next machines")
    ]
  },
  {
    mechanism: "turns",
    broken: "a machine that was leased counts for no project before its actor has heard of it",
    patches: [{ file: "src/actors/jobs/assignment.ts", find: "?.projectKey ?? lessee", replace: "?.projectKey" }],
    caughtBy: [fairness("share the first machines, whichever was queued first (V2, a pool)")]
  },
  {
    mechanism: "freeze",
    broken: "another process of our name is told and nothing is stopped for it",
    patches: [
      {
        file: "src/actors/watch/Rival.ts",
        find: "        yield* inventory.distrust(text)\n",
        replace: ""
      }
    ],
    caughtBy: [rival("notice each other, stop changing anything, and say what to do")]
  }
]
