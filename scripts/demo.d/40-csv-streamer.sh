#!/usr/bin/env bash
# Demo step: CSV files of different sizes from a web server into S3.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

load_settings
run_python facts title "CSV streamer: files from a web server into S3"
printf '\n== CSV streamer ==\n'
if [[ -z ${SAMPLE_FILES_URL:-} ]]; then
  printf 'Left out: the sample files are served by the offline stack only. scripts/stream_files.sh streams any URLs.\n'
  exit 0
fi
printf '1. Six CSV files, the largest of 220 MB made while it is sent, stream into S3\n'
urls=()
for name in rent_contracts transactions units buildings projects developers; do
  urls+=("$SAMPLE_FILES_URL/files/$name.csv")
done
"$SCRIPTS/stream_files.sh" "${urls[@]}"
printf '2. The largest is compared with what the server sent\n'
run_python compare_stream "$CSV_BUCKET" "${urls[0]}"
run_python facts command "stream files of your own" "scripts/stream_files.sh https://example.com/a.csv"
run_python facts command "invoke it as the schedule does" \
  "aws lambda invoke --function-name $CSV_STREAMER_FUNCTION --invocation-type Event --payload '{}' /dev/stdout"
run_python facts command "see its log events" "make logs SERVICE=csv-streamer"
run_python facts command "see the files that the server has" "curl $SAMPLE_FILES_URL/"
