#!/usr/bin/env bash
# Runs every service of the deployed stack on sample data.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh

Runs the steps in scripts/demo.d one after another against the deployed stack, then prints a summary of each and the
commands to repeat it by hand. 'make demo' deploys the offline stack first.

  -h, --help   this text

A step is a script whose name begins with its number. It reads the same settings as the other scripts. For the summary it
records, with 'run_python common.demo_notes KIND VALUE', its title, what happened, where to look and a command to try.
TEXT
}

case ${1:-} in
  "") ;;
  -h | --help)
    usage
    exit 0
    ;;
  *) die_of_usage "no arguments are known" ;;
esac

load_settings
NOTES="$(mktemp -d)"
trap 'rm -rf "$NOTES"' EXIT
for step in "$SCRIPTS"/demo.d/*.sh; do
  SLUICE_FACTS="$NOTES/$(basename "$step" .sh).jsonl" "$step" || die "the step $(basename "$step") failed"
done
run_python common.demo_summary "$NOTES"
printf '\nThe demo took %d s. The stack goes on running: make down stops it, make up starts it again.\n' "$SECONDS"
printf 'More to try: README.md, which has the same lines and others for each service.\n'
