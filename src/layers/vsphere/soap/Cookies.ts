/** The cookies of one server, `vmware_soap_session` among them: the session itself. Kept as they come, never logged. */
export class Cookies {
  readonly #values = new Map<string, string>()

  keep(setCookie: ReadonlyArray<string> | undefined): void {
    for (const cookie of setCookie ?? []) {
      const [pair = "", ...attributes] = cookie.split(";")
      const [name = "", ...value] = pair.split("=")
      if (attributes.some((attribute) => /^\s*max-age\s*=\s*0\s*$/i.test(attribute))) this.#values.delete(name.trim())
      else this.#values.set(name.trim(), value.join("=").trim())
    }
  }

  header(): { readonly cookie?: string } {
    if (this.#values.size === 0) return {}
    return { cookie: [...this.#values].map(([name, value]) => `${name}=${value}`).join("; ") }
  }
}
