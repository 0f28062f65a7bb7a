#!/usr/bin/env bash
# Uploads a folder to the source bucket, many files at once.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/bulk_upload.sh [--prefix PREFIX] [--parallel N] [--batch N] [--generate N] [DIR]

Uploads the files in DIR and its folders to the source bucket. Hidden files are left out. What could not be uploaded
after three tries is listed at the end, and the exit status is 1.

  DIR               the folder (default: .local/examples)
  --prefix PREFIX   what the keys begin with (default: uploads/)
  --parallel N      uploads at once (default: 10)
  --batch N         files in a batch; what fails in a batch is tried again at its end (default: 50)
  --generate N      first write N sample PDFs into DIR
  -h, --help        this text

The bucket is SRC_BUCKET: from the environment, .env, or .local/outputs.env as written by the last deployment.
TEXT
}

PREFIX="uploads/"
PARALLEL=10
BATCH=50
GENERATE=""
DIR=""
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --prefix)
      (($# >= 2)) || die_of_usage "--prefix needs a value"
      PREFIX=$2
      shift
      ;;
    --parallel)
      PARALLEL="$(option_value "$@")"
      shift
      ;;
    --batch)
      BATCH="$(option_value "$@")"
      shift
      ;;
    --generate)
      GENERATE="$(option_value "$@")"
      shift
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *)
      [[ -z $DIR ]] || die_of_usage "only one folder"
      DIR=$1
      ;;
  esac
  shift
done
DIR=${DIR:-$ROOT/.local/examples}
require_whole_number "--parallel" "$PARALLEL"
require_whole_number "--batch" "$BATCH"

load_settings
require_settings SRC_BUCKET
if [[ -n $GENERATE ]]; then
  "$SCRIPTS/generate_pdfs.sh" "$GENERATE" "$DIR"
fi
[[ -d $DIR ]] || die "$DIR is not a folder; --generate N fills it with samples"
run_python zip_jobs.bulk_upload --prefix "$PREFIX" --parallel "$PARALLEL" --batch "$BATCH" -- "$DIR"
