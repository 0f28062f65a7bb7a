#!/usr/bin/env bash
# Invokes a function once and prints its response.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/invoke.sh [--async] FUNCTION [EVENT]

Invokes FUNCTION once with EVENT, which is JSON or @FILE ({} if it is left out), and prints the response. A JSON text in
the response's body is printed as JSON. It waits as long as a function may run and never invokes a second time by itself, as
'aws lambda invoke' does after a minute unless it is called with --cli-read-timeout 0. The exit status is 1 if the
function fails.

  --async      leave the event with Lambda and do not wait
  -h, --help   this text

FUNCTION is a name such as $CSV_STREAMER_FUNCTION in .local/outputs.env. Address, region and credentials are found as by
every script: from the environment, .env, or .local/outputs.env as written by the last deployment.
TEXT
}

OPTIONS=()
WORDS=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --async) OPTIONS+=(--async) ;;
    -*) die_of_usage "unknown option $1" ;;
    *) WORDS+=("$1") ;;
  esac
  shift
done
((${#WORDS[@]} == 1 || ${#WORDS[@]} == 2)) || die_of_usage "which function, and with which event?"
[[ -n ${WORDS[0]} ]] || die_of_usage "the function's name is empty: . .local/outputs.env first"

load_settings
run_python operations.invoke ${OPTIONS[@]+"${OPTIONS[@]}"} -- "${WORDS[@]}"
