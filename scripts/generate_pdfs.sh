#!/usr/bin/env bash
# Writes sample PDFs.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/generate_pdfs.sh [--seed SEED] N [DIR]

Writes N PDFs (invoices, reports, scanned letters; 1 to 5 pages, about 2 KB to 300 KB) into DIR.

  N             how many
  DIR           where to; made if it is not there (default: .local/examples)
  --seed SEED   another seed gives other documents; the same one always the same (default: 1)
  -h, --help    this text
TEXT
}

SEED=1
COUNT=""
DIR=""
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --seed)
      SEED="$(option_value "$@")"
      shift
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *)
      if [[ -z $COUNT ]]; then
        COUNT=$1
      elif [[ -z $DIR ]]; then
        DIR=$1
      else
        die_of_usage "too many arguments"
      fi
      ;;
  esac
  shift
done
[[ -n $COUNT ]] || die_of_usage "how many?"
require_whole_number "N" "$COUNT"
[[ $SEED =~ ^[0-9]{1,9}$ ]] || die_of_usage "--seed has to be a whole number, not '$SEED'"

require_venv
run_python zip_jobs.generate_pdfs --seed "$SEED" "$COUNT" "${DIR:-$ROOT/.local/examples}"
