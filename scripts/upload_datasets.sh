#!/usr/bin/env bash
# Puts generated datasets into the bucket of the dataset download.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/upload_datasets.sh [--rows N]

Draws three datasets and puts them, as Parquet, into the bucket of the dataset download: 'entities' (1,000,000 rows,
sorted by organisation), 'applications' (20,000 rows with decimals, lists, and texts that need quoting), 'readings'
(300,000 rows, a folder of one file a year). It is the same data each time.

  --rows N     rows of each, instead
  -h, --help   this text

The bucket is DATASET_BUCKET, with DATASET_PREFIX: from the environment, .env, or .local/outputs.env as written by the
last deployment.
TEXT
}

OPTIONS=()
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --rows)
      ROWS=$(option_value "$@")
      require_whole_number --rows "$ROWS"
      OPTIONS=(--rows "$ROWS")
      shift
      ;;
    *) die_of_usage "unknown argument $1" ;;
  esac
  shift
done

load_settings
require_settings DATASET_BUCKET
run_python dataset.sample_datasets "$DATASET_BUCKET" "${DATASET_PREFIX:-}" ${OPTIONS[@]+"${OPTIONS[@]}"}
