#!/usr/bin/env bash
# Demo step: CSV files of different sizes from a web server into S3.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

load_settings
run_python common.demo_notes title "CSV streamer: files from a web server into S3"
printf '\n== CSV streamer ==\n'
if [[ -z ${SAMPLE_FILES_URL:-} ]]; then
  printf 'Left out: the sample files are served by the offline stack only. scripts/stream_files.sh streams any URLs.\n'
  run_python common.demo_notes happened "Left out: the sample files are served by the offline stack only"
  exit 0
fi
printf '1. Six CSV files, the largest of 220 MB made while it is sent, stream into S3\n'
urls=()
for name in rent_contracts transactions units buildings projects developers; do
  urls+=("$SAMPLE_FILES_URL/files/$name.csv")
done
"$SCRIPTS/stream_files.sh" "${urls[@]}"
printf '2. The largest is compared with what the server sent\n'
run_python csv_streamer.compare_object "$CSV_BUCKET" "${urls[0]}"
run_python common.demo_notes happened "{Result}: {Streamed}; the largest is byte for byte what was served"
run_python common.demo_notes look "{Bucket} and, for its log lines, make logs SERVICE=csv-streamer"
# shellcheck disable=SC2016  # the user's shell expands it
run_python common.demo_notes try 'scripts/stream_files.sh "$SAMPLE_FILES_URL/files/units.csv?mb=5"'
