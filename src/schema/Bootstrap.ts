/** What runs in the guest of a V2 job: the worker is downloaded and run, then the machine goes off (cds-contract 9.4, 9.5). */

export interface Bootstrap {
  /** Stands in the text, so that the process can be found again by its command line. */
  readonly workerName: string
  /** The CDS API as the guest reaches it. */
  readonly apiUrl: string
  /** The download does not verify the API's certificate (`workerApiHttp.insecure`). */
  readonly apiInsecure?: boolean
  /** The model's, e.g. `linux/amd64`. */
  readonly osArch: string
}

/** One word for the shell, whatever is in it. */
const quoted = (text: string) => `'${text.replaceAll("'", String.raw`'\''`)}'`

/**
 * POSIX shell text; secrets and all that the worker needs come through the environment (`CDS_CONFIG`). It ends with the worker's own exit
 * code, or 1 when there is no worker to run.
 *
 * VMware Tools tell an exit code only while the guest runs. After success nobody needs it, and the machine goes off at once. After a
 * failure it goes off two minutes later: until then the code can be read from outside, and the end of `/tmp/worker.log` (the worker) or
 * `/tmp/cds-worker-setup.log` (the download). What an operator sees: a machine on for two minutes whose bootstrap has ended, with the
 * reason in one of these files.
 */
export const script = ({ workerName, apiUrl, apiInsecure = false, osArch }: Bootstrap): string => `\
# CDS worker ${workerName.replace(/[^\w.-]/g, "-")}
exec >>/tmp/cds-worker-setup.log 2>&1

url=${quoted(`${apiUrl.replace(/\/+$/, "")}/download/worker/${osArch}`)}
file=/usr/local/bin/worker

power_off() {
  sudo shutdown -h "$1" || shutdown -h "$1"
}

give_up() {
  echo "$1"
  power_off +2
  exit 1
}

if command -v curl >/dev/null; then
  curl --fail --silent --show-error --location${apiInsecure ? " --insecure" : ""} \\
    --retry 10 --retry-max-time 120 --retry-connrefused --output "$file" "$url"
elif command -v wget >/dev/null; then
  wget --no-verbose${apiInsecure ? " --no-check-certificate" : ""} \\
    --tries=10 --waitretry=12 --timeout=30 --retry-connrefused --output-document="$file" "$url"
else
  give_up "neither curl nor wget is there to download the worker"
fi || give_up "the worker cannot be downloaded from $url"
chmod +x "$file" || give_up "the worker cannot be made executable"

PATH=$PATH worker >/tmp/worker.log 2>&1
code=$?
echo "the worker ended with exit code $code"
if [ "$code" -eq 0 ]; then power_off now; else power_off +2; fi
exit "$code"
`
