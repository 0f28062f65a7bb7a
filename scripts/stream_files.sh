#!/usr/bin/env bash
# Runs the CSV streamer once and shows how its files come along.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/stream_files.sh [URL...]

Invokes the deployed CSV streamer, shows how far its files have come, and prints what became of each. URLs go along in the
event; without any, the function fetches what config/parameters.json in its bucket names. The script writes nothing there.

  -h, --help   this text

Settings: CSV_BUCKET, CSV_STREAMER_FUNCTION, as deployed (see .env.example).
TEXT
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  -*) die_of_usage "unknown option: $1" ;;
esac

load_settings
require_settings CSV_BUCKET CSV_STREAMER_FUNCTION
run_python csv_streamer.stream_files "$CSV_STREAMER_FUNCTION" "$CSV_BUCKET" "$@"
