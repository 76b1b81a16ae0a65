#!/bin/sh
# Stand-in for the CDS worker: runs one V2 job of the simulated API. Reads CDS_CONFIG (base64 of JSON); exit code 0 after a result was
# posted or when the job ended without it, 1 with a message when the API refused something, 2 when CDS_CONFIG cannot be used.
# Needs sh, sed, base64, the usual small tools, and curl or wget.
set -u

say() { echo "worker ${name:-?}: $1"; }

give_up() {
  say "$2" >&2
  exit "$1"
}

# One line of JSON with nested objects and lists collapsed, so that a key is found at the top level only.
flat() {
  sed -e ':join' -e '$!{N;b join' -e '}' -e 's/\n/ /g' |
    sed -e ':fold' -e 's/:[[:space:]]*{[^{}]*}/:0/' -e 't fold' -e ':list' -e 's/:[[:space:]]*\[[^][]*\]/:0/' -e 't list'
}

text_of() { printf '%s\n' "$1" | sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*"\([^"]*\)".*/\1/p' | sed -e 's/\\\//\//g'; }
number_of() { printf '%s\n' "$1" | sed -n 's/.*"'"$2"'"[[:space:]]*:[[:space:]]*\([0-9.]*\).*/\1/p'; }

json=$(printf '%s' "${CDS_CONFIG:-}" | base64 -d 2>/dev/null | flat)
name=$(text_of "$json" name)
api=$(text_of "$json" api_endpoint)
token=$(text_of "$json" api_token)
job=$(text_of "$json" run_job_id)
region=$(text_of "$json" region)
for value in "$name" "$api" "$token" "$job" "$region"; do
  [ -n "$value" ] || give_up 2 "CDS_CONFIG lacks one of name, api_endpoint, api_token, run_job_id, region"
done

work=$(mktemp -d) || give_up 2 "no temporary folder"
trap 'rm -rf "$work"' EXIT

# request PATH TOKEN BODY: leaves the answer in $work/body, its headers in $work/head and the status in $status (000: no answer).
request() {
  url="$api/v2/queue/$region/job/$job$1"
  : >"$work/body"
  if command -v curl >/dev/null; then
    status=$(curl -sS -o "$work/body" -D "$work/head" -w '%{http_code}' -X POST -H "Authorization: Bearer $2" \
      -H 'Content-Type: application/json' -d "$3" "$url")
  else
    wget -q -S -O "$work/body" --header="Authorization: Bearer $2" --header='Content-Type: application/json' \
      --post-data="$3" "$url" 2>"$work/head"
    status=$(sed -n 's/.*HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' "$work/head" | sed -n '$p')
  fi
  status=${status:-000}
}

# The same, three times at most while there is no answer, a conflict or an error of the server.
post() {
  for attempt in 1 2 3; do
    request "$1" "$2" "$3"
    case $status in 000 | 409 | 5??) [ "$attempt" = 3 ] || sleep 1 ;; *) break ;; esac
  done
}

must() {
  post "$2" "$3" "$4"
  case $status in 2??) ;; *) give_up 1 "$1 was refused: $status $(cat "$work/body")" ;; esac
}

must signin /worker/signin "$token" '{"BinaryCapabilities":["git"],"Version":"simulated","OS":"linux","Arch":"amd64"}'
session=$(sed -n 's/^[[:space:]]*[Xx]-[Cc][Dd][Ss]-[Jj][Ww][Tt]:[[:space:]]*//p' "$work/head" | sed -e 's/[[:space:]]*$//')

must take /worker/take "$session" '{}'
plan=$(sed -n 's/.*"simulation"[[:space:]]*:[[:space:]]*\({[^}]*}\).*/\1/p' "$work/body")
outcome=$(text_of "$plan" outcome)
beats=$(number_of "$plan" beats)
say "took job $job"

while [ "${beats:-0}" -gt 0 ]; do
  sleep "$(number_of "$plan" beat_seconds)"
  post /worker/refresh "$session" '{}'
  case $status in
  401 | 410)
    say "job $job has ended without us"
    post /worker/signout "$session" '{}'
    exit 0
    ;;
  esac
  beats=$((beats - 1))
done
sleep "$(number_of "$plan" rest_seconds)"

must result /result "$session" '{"status":"'"${outcome:-Success}"'","error":"","time":"'"$(date -u +%Y-%m-%dT%H:%M:%SZ)"'"}'
post /worker/signout "$session" '{}'
say "ran job $job: ${outcome:-Success}"
