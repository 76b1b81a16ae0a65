#!/bin/sh
# Stand-in for the CDS worker: runs one job of the simulated API, V1 or V2; with the argument "register" it registers its V1 model. Reads
# CDS_CONFIG (base64 of JSON); exit code 0 after a result was posted, when the job ended without it, or when the model was registered,
# 1 with a message when the API refused something, 2 when CDS_CONFIG cannot be used.
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
for value in "$name" "$api" "$token"; do
  [ -n "$value" ] || give_up 2 "CDS_CONFIG lacks one of name, api_endpoint, api_token"
done

# Which side it works on, and where the calls of that side go.
job=$(text_of "$json" run_job_id)
region=$(text_of "$json" region)
if [ "${1:-}" = register ]; then
  side=register consumer=/auth/consumer/worker
elif [ -n "$job" ]; then
  [ -n "$region" ] || give_up 2 "CDS_CONFIG lacks region"
  side=v2 api=$api/v2/queue/$region/job/$job consumer=/worker queue=/worker result=/result
else
  job=$(number_of "$json" booked_job_id)
  [ -n "$job" ] || give_up 2 "CDS_CONFIG has neither run_job_id nor booked_job_id"
  side=v1 consumer=/auth/consumer/worker queue=/queue/workflows/$job result=/queue/workflows/$job/result
fi

work=$(mktemp -d) || give_up 2 "no temporary folder"
trap 'rm -rf "$work"' EXIT

# request PATH TOKEN [BODY]: posts the body, gets without one. Leaves the answer in $work/body, its headers in $work/head and the status in
# $status (000: no answer).
request() {
  : >"$work/body"
  if command -v curl >/dev/null; then
    status=$(curl -sS -o "$work/body" -D "$work/head" -w '%{http_code}' -H "Authorization: Bearer $2" \
      -H 'Content-Type: application/json' ${3+-d "$3"} "$api$1")
  else
    wget -q -S -O "$work/body" --header="Authorization: Bearer $2" --header='Content-Type: application/json' \
      ${3+--post-data="$3"} "$api$1" 2>"$work/head"
    status=$(sed -n 's/.*HTTP\/[0-9.]* \([0-9][0-9][0-9]\).*/\1/p' "$work/head" | sed -n '$p')
  fi
  status=${status:-000}
}

# The same, three times at most while there is no answer, a conflict or an error of the server.
ask() {
  for attempt in 1 2 3; do
    request "$@"
    case $status in 000 | 409 | 5??) [ "$attempt" = 3 ] || sleep 1 ;; *) break ;; esac
  done
}

# must STEP PATH TOKEN [BODY]: the same, and nothing goes on when the API says no.
must() {
  step=$1
  shift
  ask "$@"
  case $status in 2??) ;; *) give_up 1 "$step was refused: $status $(cat "$work/body")" ;; esac
}

sign_out() { ask "$consumer/signout" "$session" '{}'; }

# A beat; fails when the job has ended without us. On V1 only the job itself tells that.
beat() {
  ask /worker/refresh "$session" '{}'
  case $status in 401 | 410) return 1 ;; esac
  [ "$side" = v1 ] || return 0
  ask "$queue/infos" "$session"
  case $status in 403) return 1 ;; 200) [ "$(text_of "$(flat <"$work/body")" status)" = Building ] ;; esac
}

must signin "$consumer/signin" "$token" '{"BinaryCapabilities":["git"],"Version":"simulated","OS":"linux","Arch":"amd64"}'
session=$(sed -n 's/^[[:space:]]*[Xx]-[Cc][Dd][Ss]-[Jj][Ww][Tt]:[[:space:]]*//p' "$work/head" | sed -e 's/[[:space:]]*$//')
if [ "$side" = register ]; then
  sign_out
  say "registered its model"
  exit 0
fi

if [ "$side" = v1 ]; then
  must infos "$queue/infos" "$session"
  must waiting /worker/waiting "$session" '{}'
fi
must take "$queue/take" "$session" '{}'
plan=$(sed -n 's/.*"simulation"[[:space:]]*:[[:space:]]*\({[^}]*}\).*/\1/p' "$work/body")
outcome=$(text_of "$plan" outcome)
beats=$(number_of "$plan" beats)
say "took job $job"

while [ "${beats:-0}" -gt 0 ]; do
  sleep "$(number_of "$plan" beat_seconds)"
  beat || {
    say "job $job has ended without us"
    sign_out
    exit 0
  }
  beats=$((beats - 1))
done
sleep "$(number_of "$plan" rest_seconds)"

now=$(date -u +%Y-%m-%dT%H:%M:%SZ)
case $side in
v1) ending='{"id":'$job',"buildID":'$job',"status":"'"${outcome:-Success}"'","reason":"","remoteTime":"'$now'"}' ;;
*) ending='{"status":"'"${outcome:-Success}"'","error":"","time":"'$now'"}' ;;
esac
must result "$result" "$session" "$ending"
sign_out
say "ran job $job: ${outcome:-Success}"
