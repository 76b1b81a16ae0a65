import { assert, describe, it } from "@effect/vitest"
import { Result } from "effect"
import { render, scriptVariables } from "../../src/schema/ScriptTemplate.ts"

const rendered = (source: string, variables = scriptVariables("http://cds:8081")) =>
  Result.getOrThrow(render(source, variables))

const flaw = (source: string): string =>
  Result.match(render(source, { API: "a", FromWorkerImage: true }), {
    onSuccess: (text) => `(rendered) ${text}`,
    onFailure: ({ message }) => message
  })

describe("a V1 model's script", () => {
  it("is plain text: what a shell reads is what its author wrote", () => {
    const script = `cat <<EOF >/tmp/a && echo "a+b" '<tag>'\n$HOME {x} }}\nEOF\n`
    assert.strictEqual(rendered(script), script)
  })

  it("gets the address of the API and whether it runs from a worker image", () => {
    assert.strictEqual(
      rendered('curl "{{.API}}/download/worker/linux/$(uname -m)"; export IMAGE={{ .FromWorkerImage }}'),
      'curl "http://cds:8081/download/worker/linux/$(uname -m)"; export IMAGE=true'
    )
  })

  it("names the configuration by the variable that holds it, never by its value", () => {
    assert.strictEqual(rendered("./worker --config {{.Config}}"), "./worker --config ${CDS_CONFIG}")
  })

  it("may name what older scripts named, which is empty", () => {
    for (const name of ["Token", "Name", "BaseDir", "HTTPInsecure", "Model", "HatcheryName", "WorkflowJobID", "TTL"])
      assert.strictEqual(rendered(`[{{.${name}}}]`), "[]")
    for (const name of ["GraylogHost", "GraylogPort", "GraylogExtraKey", "GraylogExtraValue", "WorkerBinary"])
      assert.strictEqual(rendered(`[{{.${name}}}]`), "[]")
  })

  it("may choose by if, else if, else and not, nested", () => {
    const script = "{{if .A}}a{{else if .B}}b{{if not .A}}!{{end}}{{else}}c{{end}}."
    const by = (A: boolean | string, B: boolean) => rendered(script, { A, B })
    assert.deepStrictEqual([by(true, true), by("", true), by(false, false), by("x", false)], ["a.", "b!.", "c.", "a."])
  })

  it("loses the blanks on the side of a trim marker, and comments", () => {
    assert.strictEqual(rendered("a \n{{- .FromWorkerImage -}} \n b {{/* a note }} of it */}}c"), "atrueb c")
  })

  it("that is not understood is refused with what is wrong", () => {
    assert.include(flaw("{{.Nope}}"), "{{.Nope}} is no variable of a worker script; there are API, FromWorkerImage")
    assert.include(flaw("{{range .API}}x{{end}}"), "{{range .API}} is not understood")
    assert.include(flaw("{{if eq .API 1}}x{{end}}"), "{{if eq .API 1}} is not understood")
    assert.include(flaw("{{if .API}}x"), "an {{if}} has no {{end}}")
    assert.include(flaw("x{{end}}"), "{{end}} stands without {{if}}")
    assert.include(flaw("{{if .API}}{{else}}{{else}}{{end}}"), "{{else}} stands after {{else}}")
    assert.include(flaw("{{.toString}}"), "is no variable")
  })
})
