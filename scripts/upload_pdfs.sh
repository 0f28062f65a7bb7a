#!/usr/bin/env bash
# Uploads the named files to the source bucket.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/upload_pdfs.sh [--bucket BUCKET] [--prefix PREFIX] FILE...

Uploads each FILE, of any kind, as PREFIX and its name.

  --bucket BUCKET   where to (default: SRC_BUCKET, the bucket whose objects are zipped)
  --prefix PREFIX   what the keys begin with (default: uploads/)
  -h, --help        this text

SRC_BUCKET is read from the environment, .env, or .local/outputs.env as written by the last deployment.
TEXT
}

BUCKET=""
PREFIX="uploads/"
FILES=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --bucket)
      BUCKET="$(option_value "$@")"
      shift
      ;;
    --prefix)
      (($# >= 2)) || die_of_usage "--prefix needs a value"
      PREFIX=$2
      shift
      ;;
    --)
      shift
      while (($#)); do
        FILES+=("$1")
        shift
      done
      break
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *) FILES+=("$1") ;;
  esac
  shift
done
((${#FILES[@]})) || die_of_usage "which files?"
for file in "${FILES[@]}"; do
  [[ -f $file ]] || die "$file is not a file"
done

load_settings
[[ -z $BUCKET ]] || export SRC_BUCKET="$BUCKET"
require_settings SRC_BUCKET
run_python zip_jobs.bulk_upload --prefix "$PREFIX" -- "${FILES[@]}"
