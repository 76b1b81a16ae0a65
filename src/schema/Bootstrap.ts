/** What runs in the guest: the worker is downloaded and run, then the machine goes off (cds-contract 9.4, 9.5). */
import { Result } from "effect"
import type { ModelV1 } from "./ModelV1.ts"
import { render, type ScriptTemplateError, scriptVariables } from "./ScriptTemplate.ts"

/** Where a worker writes, and one that registers its model (cds-contract 9.5). */
export const workerLog = "/tmp/worker.log"
export const registerLog = "/tmp/worker.register.log"
/** Where everything before the worker writes: pre-start script, download, a V1 model's own commands. */
export const setupLog = "/tmp/cds-worker-setup.log"
/** Where a V1 model's post command writes while its template is built. */
export const buildLog = "/tmp/worker.build.log"

export interface Bootstrap {
  /** Stands in the text, so that the process can be found again by its command line. */
  readonly workerName: string
  /** The CDS API as the guest reaches it. */
  readonly apiUrl: string
  /** The download does not verify the API's certificate (`workerApiHttp.insecure`). */
  readonly apiInsecure?: boolean
  /** The model's, e.g. `linux/amd64`; undefined: Linux on what the guest says it is (V1 jobs). */
  readonly osArch?: string | undefined
  /** `models[].preStartScript`: runs first, and the worker only when it ends well (defect 41). */
  readonly preStart?: string | undefined
}

/** One word for the shell, whatever is in it. */
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`

const base = (apiUrl: string): string => apiUrl.replace(/\/+$/, "")

/** EX_TEMPFAIL of sysexits: this start script found that another one started its worker, and did nothing. */
export const secondStart = 75

/**
 * The first words of a start script. A start whose hatchery was killed before the answer may still be on its way to the guest when the next
 * process looks for it and finds nothing: the guest itself keeps a worker from being started twice, whoever comes second.
 */
const head = (workerName: string): string => {
  const name = workerName.replace(/[^\w.-]/g, "-")
  return `# CDS worker ${name}
exec >>${setupLog} 2>&1
mkdir /tmp/cds-worker-${name} || { echo "the worker ${name} was started before"; exit ${secondStart}; }
`
}

/** What people write for a guest they write for bash; it is not in every guest. */
const shell = '"$(command -v bash || echo sh)"'

/**
 * POSIX shell text; secrets and all that the worker needs come through the environment (`CDS_CONFIG`). It ends with the worker's own exit
 * code, or 1 when there is no worker to run.
 *
 * VMware Tools tell an exit code only while the guest runs. After success nobody needs it, and the machine goes off at once. After a
 * failure it goes off two minutes later: until then the code can be read from outside, and the end of `/tmp/worker.log` (the worker) or
 * `/tmp/cds-worker-setup.log` (the download). What an operator sees: a machine on for two minutes whose bootstrap has ended, with the
 * reason in one of these files.
 */
export const script = ({ workerName, apiUrl, apiInsecure = false, osArch, preStart }: Bootstrap): string => `\
${head(workerName)}
file=/usr/local/bin/worker
${
  osArch === undefined
    ? `arch=$(uname -m)
case "$arch" in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; esac
url=${quoted(`${base(apiUrl)}/download/worker/linux/`)}$arch`
    : `url=${quoted(`${base(apiUrl)}/download/worker/${osArch}`)}`
}

power_off() {
  sudo shutdown -h "$1" || shutdown -h "$1"
}

give_up() {
  echo "$1"
  power_off +2
  exit 1
}

${preStart === undefined ? "" : `${shell} -c ${quoted(preStart)} || give_up "the pre-start script ended with exit code $?"\n\n`}if command -v curl >/dev/null; then
  curl --fail --silent --show-error --location${apiInsecure ? " --insecure" : ""} \\
    --retry 10 --retry-max-time 120 --retry-connrefused --output "$file" "$url"
elif command -v wget >/dev/null; then
  wget --no-verbose${apiInsecure ? " --no-check-certificate" : ""} \\
    --tries=10 --waitretry=12 --timeout=30 --retry-connrefused --output-document="$file" "$url"
else
  give_up "neither curl nor wget is there to download the worker"
fi || give_up "the worker cannot be downloaded from $url"
chmod +x "$file" || give_up "the worker cannot be made executable"

PATH=$PATH worker >${workerLog} 2>&1
code=$?
echo "the worker ended with exit code $code"
if [ "$code" -eq 0 ]; then power_off now; else power_off +2; fi
exit "$code"
`

/** The worker of a V1 model: its `pre_cmd`, `cmd` and `post_cmd` as they were written, with their variables (seed 001 section 6.2.2). */
export interface BootstrapV1 {
  readonly workerName: string
  readonly apiUrl: string
  /** The worker registers its model. */
  readonly registers?: true | undefined
}

/**
 * Like `script`, with the model's own commands in the place of the download. They have `CDS_CONFIG` in their environment, and the machine goes off
 * as `post_cmd` says; after a failure that comes two minutes later, so that the exit code and the log can be read.
 */
export const scriptOf = (
  { preCmd, cmd, postCmd }: Pick<ModelV1, "preCmd" | "cmd" | "postCmd">,
  { workerName, apiUrl, registers }: BootstrapV1
): Result.Result<string, ScriptTemplateError> => {
  const variables = scriptVariables(base(apiUrl))
  const parts = Result.all([render(preCmd, variables), render(cmd, variables), render(postCmd, variables)])
  return Result.map(parts, ([pre, worker, post]) => {
    const log = registers === true ? registerLog : workerLog
    const text = `${pre}
${worker.trimEnd()}${registers === true ? " register" : ""} >${log} 2>&1
code=$?
echo "the worker ended with exit code $code"
if [ "$code" -ne 0 ]; then sleep 120; fi
${post}
exit "$code"
`
    return `${head(workerName)}
exec ${shell} -c ${quoted(`# CDS worker ${workerName}\n${text}`)}
`
  })
}

/** The post command of a V1 model while its template is built (seed 001 section 4.1): alone, and run by the same shell as after a job. */
export const buildScriptOf = (
  { postCmd }: Pick<ModelV1, "postCmd">,
  apiUrl: string
): Result.Result<string, ScriptTemplateError> =>
  Result.map(
    render(postCmd, { ...scriptVariables(base(apiUrl)), FromWorkerImage: false }),
    (post) => `exec >${buildLog} 2>&1
exec ${shell} -c ${quoted(post)}
`
  )
