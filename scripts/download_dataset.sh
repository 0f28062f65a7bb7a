#!/usr/bin/env bash
# Downloads a dataset by HTTP and says how long that took and what came.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/download_dataset.sh [--output FOLDER] DATASET.FORMAT [QUERY]

Downloads a dataset as csv, json, jsonl or parquet: all rows, or those that QUERY ('organisation-entity=...&limit=10')
selects. After a 202 it waits for the export and follows the redirect. It prints the time to the first and to the last
byte, the size and the rows. The file appears once it is complete.

  --output FOLDER   where the file goes (DOWNLOAD_DIR, or .local/downloads)
  -h, --help        this text

The URL is DATASET_STREAM_URL if it is set (the offline stack's own server, which streams), else DATASET_URL, from the
environment, .env, or .local/outputs.env as written by the last deployment. Requests to DATASET_URL are signed as the
caller's AWS identity, unless its host is this machine; requests to other hosts, after redirects, are never signed.
TEXT
}

FOLDER=${DOWNLOAD_DIR:-}
WORDS=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --output)
      FOLDER=$(option_value "$@")
      shift
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *) WORDS+=("$1") ;;
  esac
  shift
done
((${#WORDS[@]} == 1 || ${#WORDS[@]} == 2)) || die_of_usage "a dataset with a format is needed, like entities.csv"
FILE=${WORDS[0]}
QUERY=${WORDS[1]:-}

load_settings
FOLDER=${FOLDER:-$ROOT/.local/downloads}
BASE=${DATASET_STREAM_URL:-}
if [[ -z $BASE ]]; then
  require_settings DATASET_URL
  BASE=$DATASET_URL
fi
mkdir -p "$FOLDER"
run_python dataset.download "${BASE%/}" "$FILE" "$QUERY" "$FOLDER"
