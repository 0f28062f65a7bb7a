#!/usr/bin/env bash
# Runs one small case of each deployed service, checks what comes out, and removes it.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/smoke.sh [SERVICE…]

Runs one small case of each deployed service against the deployment that the settings name, checks the results, and
removes its objects: zip, csv, aggregator, xapi, dataset; by default all that are deployed. Unless the stack is on this
machine, the script asks for confirmation first, or needs CONFIRM=yes. On AWS it takes up to half an hour, mostly for
copies to reach the archive, and costs a few cents.

  -h, --help   this text

Settings: the names of the Terraform outputs, from the environment, .env, or .local/outputs.env as written by the last
deployment. The caller needs permissions on all deployed resources. Exit status 1: a check failed.
TEXT
}

SERVICES=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    zip | csv | aggregator | xapi | dataset) SERVICES+=("$1") ;;
    *) die_of_usage "unknown service $1" ;;
  esac
  shift
done

load_settings
if [[ -z ${AWS_ENDPOINT_URL:-} && ${CONFIRM:-} != yes ]]; then
  [[ -t 0 ]] || die "this runs in AWS and costs something: CONFIRM=yes says that it may"
  run_python smoke.run --describe || die "AWS does not say who is calling"
  read -r -p "Run the smoke test there? It costs a few cents. [yes/no] " answer
  [[ $answer == yes ]] || die "not run"
fi
run_python smoke.run ${SERVICES[@]+"${SERVICES[@]}"}
