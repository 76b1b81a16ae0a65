/**
 * What runs in the guest of a V2 job: the worker is downloaded and run, then the machine goes off (cds-contract 9.4, 9.5). The text is
 * always the same; every value comes through the environment.
 */
import { Redacted } from "effect"
import type { WorkerSettings } from "./Settings.ts"

/** Where the worker writes; its end is shown to the user when the worker fails. */
export const workerLog = "/tmp/worker.log"

/** Where the download writes. */
export const setupLog = "/tmp/cds-worker-setup.log"

/**
 * The script ends with the worker's own exit code, or 1 when there is no worker to run.
 *
 * VMware Tools tell an exit code only while the guest runs. After success nobody needs it, and the machine goes off at once. After a
 * failure it goes off two minutes later: until then the code and both logs can be read from outside. What an operator sees: a machine
 * whose bootstrap has ended stays on for two minutes, with the reason at the end of one of the logs.
 */
export const script = `exec >>${setupLog} 2>&1

worker=/usr/local/bin/worker

power_off() {
  sudo shutdown -h "$1" || shutdown -h "$1"
}

give_up() {
  echo "$1"
  power_off +2
  exit 1
}

if command -v curl >/dev/null; then
  curl --fail --silent --show-error --location \${WORKER_DOWNLOAD_INSECURE:+--insecure} \\
    --retry 10 --retry-max-time 120 --retry-connrefused --output "$worker" "$WORKER_DOWNLOAD_URL"
elif command -v wget >/dev/null; then
  wget --no-verbose \${WORKER_DOWNLOAD_INSECURE:+--no-check-certificate} \\
    --tries=10 --waitretry=12 --timeout=30 --retry-connrefused --output-document="$worker" "$WORKER_DOWNLOAD_URL"
else
  give_up "neither curl nor wget is there to download the worker"
fi || give_up "the worker cannot be downloaded from $WORKER_DOWNLOAD_URL"
chmod +x "$worker" || give_up "the worker cannot be made executable"

unset WORKER_DOWNLOAD_URL WORKER_DOWNLOAD_INSECURE
PATH=$PATH worker >${workerLog} 2>&1
code=$?
echo "the worker ended with exit code $code"
if [ "$code" -eq 0 ]; then power_off now; else power_off +2; fi
exit "$code"
`

/** The script's environment: `CDS_CONFIG`, the injected variables, and where the worker of `osArch` (e.g. `linux/amd64`) is downloaded. */
export const environment = (
  settings: Pick<WorkerSettings, "apiUrl" | "apiInsecure" | "injectEnvVars">,
  osArch: string,
  config: Redacted.Redacted<string>
): Readonly<Record<string, Redacted.Redacted<string>>> => {
  const plain = {
    ...settings.injectEnvVars,
    WORKER_DOWNLOAD_URL: `${settings.apiUrl.replace(/\/+$/, "")}/download/worker/${osArch}`,
    ...(settings.apiInsecure ? { WORKER_DOWNLOAD_INSECURE: "true" } : {})
  }
  return {
    ...Object.fromEntries(Object.entries(plain).map(([name, value]) => [name, Redacted.make(value)])),
    CDS_CONFIG: config
  }
}
