/** V1 models and their templates, for the parts of the hatchery that only look at them. */
import type { MachineFacts } from "../../src/schema/Machine.ts"
import type { ModelStamp, ModelV1 } from "../../src/schema/ModelV1.ts"
import { print } from "../../src/schema/Annotation.ts"
import { facts, goTemplate } from "../actors/vm/sample.ts"

/** The model `shared.infra/deb`, registered, with nothing that keeps it from being used; and what a test says of it. */
export const modelV1 = (more: Partial<ModelV1> = {}): ModelV1 => ({
  id: 9,
  name: "deb",
  group: "shared.infra",
  type: "vsphere",
  image: "debian12",
  flavor: "",
  preCmd: "",
  cmd: "worker",
  postCmd: "",
  user: "worker",
  password: "",
  needRegistration: false,
  checkRegistration: false,
  lastModified: "1700000000",
  spawnErrors: 0,
  deprecated: false,
  disabled: false,
  registeredOs: "linux",
  registeredArch: "amd64",
  registeredCapabilities: [],
  ...more
})

/** The template of a model under the model's name, as vCenter shows it. */
export const templateV1 = (stamp: ModelStamp, more: Partial<MachineFacts> = {}): MachineFacts =>
  facts({
    ref: `vm-${stamp.lastModified}`,
    name: stamp.path.split("/")[1] ?? "",
    template: true,
    annotation: print(goTemplate(stamp)),
    ...more
  })
