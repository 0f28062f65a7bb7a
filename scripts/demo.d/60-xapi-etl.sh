#!/usr/bin/env bash
# Demo step: 200,000 xAPI statements become rows in ClickHouse, each once.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

COUNT=200000
load_settings
run_python common.demo_notes title "xAPI ETL: $COUNT statements become rows in ClickHouse"
printf '\n== xAPI ETL ==\n'
if ! curl --silent --fail --max-time 5 --output /dev/null "${CLICKHOUSE_URL:-}/ping"; then
  printf 'Left out: no ClickHouse answers at %s.\n' "${CLICKHOUSE_URL:-(CLICKHOUSE_URL is not set)}"
  run_python common.demo_notes happened "Left out: no ClickHouse answers; its engine (chDB) has no package for every machine"
  exit 0
fi
printf '1. %s statements land in the bucket; the ETL takes them up while they come\n' "$COUNT"
"$SCRIPTS/load_statements.sh" "$COUNT"
run_python common.demo_notes happened "SELECT count(): {SELECT count()}"
run_python common.demo_notes happened "The slowest page is {Slowest page}"
run_python common.demo_notes look "the table $CLICKHOUSE_DATABASE.$CLICKHOUSE_TABLE at $CLICKHOUSE_URL"
# shellcheck disable=SC2016  # the user's shell expands it
run_python common.demo_notes try 'curl -sS "$CLICKHOUSE_URL" -d "SELECT verb_id, count() FROM $CLICKHOUSE_DATABASE.$CLICKHOUSE_TABLE GROUP BY 1 FORMAT Pretty"'
