#!/usr/bin/env bash
# Downloads a dataset by HTTP and says how long that took and what came.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/download_dataset.sh [--output FOLDER] DATASET.FORMAT [QUERY]

Downloads a dataset as csv, json, jsonl or parquet, all of it or what QUERY ('organisation-entity=...&limit=10') asks
for, follows a redirect to an export, and prints the time to the first byte and to the last, size and rows.

  --output FOLDER   where the file goes (DOWNLOAD_DIR, or .local/downloads)
  -h, --help        this text

The address is DATASET_STREAM_URL where there is one (the offline stack's own server, which streams), else DATASET_URL,
whose requests are signed as the caller's AWS identity unless it is on this machine: from the environment, .env, or
.local/outputs.env as written by the last deployment.
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
AUTH=""
if [[ -z $BASE ]]; then
  require_settings DATASET_URL
  BASE=$DATASET_URL
  if [[ $BASE == https://*.lambda-url.* ]]; then
    AUTH="$(run_python curl_auth lambda)" || die "cannot sign requests for $BASE"
  fi
fi
mkdir -p "$FOLDER"
TARGET="$FOLDER/$FILE"
URL="$BASE/$FILE${QUERY:+?$QUERY}"
DONE="$(printf '%s\n' "$AUTH" | curl --config - --silent --show-error --location --output "$TARGET" \
  --write-out '%{http_code} %{time_starttransfer} %{time_total} %{size_download}' "$URL")" || die "the download of $URL broke"
read -r STATUS FIRST TOTAL SIZE <<<"$DONE"
[[ $STATUS == 200 ]] || die "$URL answers $STATUS: $(head -c 500 "$TARGET")"
ROWS="$(run_python count_rows "$TARGET")" || die "$TARGET cannot be read"
SAID="$(printf '%s rows, %s bytes, first byte after %.2f s, all in %.2f s' "$ROWS" "$SIZE" "$FIRST" "$TOTAL")"
printf '   %-22s %s\n' "$FILE${QUERY:+ (slice)}" "$SAID"
run_python facts fact "$FILE${QUERY:+ ($QUERY)}" "$SAID"
