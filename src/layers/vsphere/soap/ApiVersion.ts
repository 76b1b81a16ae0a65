/**
 * The version of the vSphere API that is spoken: `SOAPAction` names it, and a vCenter leaves out of its answers what came later. The WSDL
 * describes 7.0.2.0, the first with a guest's customization state (API reference, GuestInfo.customizationInfo); newer vCenters go on
 * speaking it, older ones refuse it and get the 7.0 that the WSDL names.
 */
import { Option, Schema } from "effect"

const oldest = "7.0"
const described = "7.0.2.0"

const decodeContent = Schema.decodeUnknownOption(Schema.Struct({ about: Schema.Struct({ apiVersion: Schema.String }) }))
const { compare } = new Intl.Collator("en", { numeric: true })

/** The version to speak with the vCenter that answered this to RetrieveServiceContent. */
export const versionFor = (serviceContent: unknown): string => {
  const known = Option.match(decodeContent(serviceContent), {
    onNone: () => oldest,
    onSome: ({ about }) => about.apiVersion
  })
  return compare(known, described) < 0 ? oldest : described
}
