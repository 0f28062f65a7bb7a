#!/usr/bin/env bash
# Demo step: Parquet in S3 as CSV, JSON and Parquet over HTTP.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

load_settings
require_settings DATASET_BUCKET DATASET_URL
SLICE="organisation-entity=local-authority-123"
BASE="${DATASET_STREAM_URL:-$DATASET_URL}"

run_python common.demo_notes title "Dataset download: Parquet in S3 as CSV, JSON and Parquet"
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
run_python common.demo_notes happened "CSV: {entities.csv}"
run_python common.demo_notes happened "Parquet: {entities.parquet}"
run_python common.demo_notes look "$BASE/ in a browser, which has a page for each dataset"
# shellcheck disable=SC2016  # the user's shell expands it
run_python common.demo_notes try 'curl -fsS "${DATASET_STREAM_URL:-$DATASET_URL}/applications.json?granted=true&sort=-fee&limit=3"'
