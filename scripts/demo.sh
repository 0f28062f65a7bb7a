#!/usr/bin/env bash
# Runs every service of the deployed stack on sample data.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/demo.sh

Runs the steps in scripts/demo.d one after another against the deployed stack, then prints what each did and the lines
to do it oneself. 'make demo' deploys the offline stack first.

  -h, --help   this text

A step is a script whose name begins with its place in the order. It reads the same settings as all others and notes
what the summary is to say by 'run_python facts title|fact|command LABEL [VALUE]'.
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
run_python demo_summary "$NOTES"
printf '\nThe demo took %d s.\n' "$SECONDS"
