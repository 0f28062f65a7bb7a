#!/usr/bin/env bash
# Puts generated xAPI statements into the ETL's bucket and waits until they are rows in ClickHouse.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/load_statements.sh [--objects N] [--seed TEXT] [COUNT]

Draws COUNT xAPI statements (200000) of about 1.2 KB, puts them into the ETL's bucket as JSON Lines, every other object
compressed by gzip, waits until each is a row in ClickHouse, and asks ClickHouse what they say. The same seed draws
the same statements.

  --objects N   objects that the statements are spread over (100)
  --seed TEXT   what they are drawn from (the present time)
  -h, --help    this text

The bucket is XAPI_BUCKET, ClickHouse is CLICKHOUSE_URL with CLICKHOUSE_DATABASE and CLICKHOUSE_TABLE (and, if it asks,
CLICKHOUSE_USER and CLICKHOUSE_PASSWORD): from the environment, .env, or .local/outputs.env as written by the last
deployment.
TEXT
}

OBJECTS=100
SEED=$(date -u +%Y%m%dT%H%M%SZ)
COUNT=200000
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --objects)
      OBJECTS=$(option_value "$@")
      shift
      ;;
    --seed)
      SEED=$(option_value "$@")
      shift
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *) COUNT=$1 ;;
  esac
  shift
done
require_whole_number COUNT "$COUNT"
require_whole_number --objects "$OBJECTS"

load_settings
require_settings XAPI_BUCKET CLICKHOUSE_URL CLICKHOUSE_DATABASE CLICKHOUSE_TABLE
# A prefix of this run's own: objects that were loaded once are not loaded again.
PREFIX="${XAPI_PREFIX:-}generated/$SEED/"
run_python xapi.statements "$XAPI_BUCKET" "$PREFIX" "$COUNT" --objects "$OBJECTS" --seed "$SEED"
run_python xapi.watch_rows "$XAPI_BUCKET" "$PREFIX" "$COUNT"
