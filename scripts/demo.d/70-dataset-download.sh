#!/usr/bin/env bash
# Demo step: Parquet in S3 as CSV, JSON and Parquet over HTTP.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

load_settings
require_settings DATASET_BUCKET DATASET_URL
SLICE="organisation-entity=local-authority-123"
BASE="${DATASET_STREAM_URL:-$DATASET_URL}"

run_python facts title "Dataset download: Parquet in S3 as CSV, JSON and Parquet"
printf '\n== Dataset download ==\n1. Three datasets are drawn and put\n'
"$SCRIPTS/upload_datasets.sh"
printf '2. One of 1,000,000 rows is downloaded in each format\n'
for format in csv json jsonl parquet; do
  "$SCRIPTS/download_dataset.sh" "entities.$format"
done
printf '3. One organisation of 300, and what CSV has no types for\n'
"$SCRIPTS/download_dataset.sh" entities.csv "$SLICE"
"$SCRIPTS/download_dataset.sh" readings.parquet "$SLICE&year=2024"
"$SCRIPTS/download_dataset.sh" applications.json "granted=true&sort=-fee&limit=1000"
printf 'The catalogue: %s/\n' "$BASE"
run_python facts fact "Catalogue" "$BASE/ (a page for each dataset, with a form that builds the download)"
run_python facts command "download a slice yourself" "curl -OJ '$BASE/entities.csv?$SLICE'"
run_python facts command "see what there is" "curl $BASE/datasets.json"
run_python facts command "ask the function itself, which the emulator does not let stream" \
  "curl '$DATASET_URL/applications.csv?limit=3'"
run_python facts command "see its log events" "make logs SERVICE=dataset-download"
