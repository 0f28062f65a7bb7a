#!/usr/bin/env bash
# Demo step: 200,000 xAPI statements become rows in ClickHouse, each once.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

COUNT=200000
load_settings
run_python facts title "xAPI ETL: $COUNT statements become rows in ClickHouse"
printf '\n== xAPI ETL ==\n'
if ! curl --silent --fail --max-time 5 --output /dev/null "${CLICKHOUSE_URL:-}/ping"; then
  printf 'Left out: no ClickHouse answers at %s.\n' "${CLICKHOUSE_URL:-(CLICKHOUSE_URL is not set)}"
  run_python facts fact "Left out" "no ClickHouse answers; its engine (chDB) has no package for every machine"
  exit 0
fi
printf '1. %s statements land in the bucket; the ETL takes them up while they come\n' "$COUNT"
"$SCRIPTS/load_statements.sh" "$COUNT"
run_python facts command "ask ClickHouse yourself" \
  "curl $CLICKHOUSE_URL --data 'SELECT verb_id, count() FROM $CLICKHOUSE_DATABASE.$CLICKHOUSE_TABLE GROUP BY verb_id FORMAT PrettyCompact'"
run_python facts command "load statements of your own" "aws s3 cp statements.jsonl.gz s3://$XAPI_BUCKET/${XAPI_PREFIX:-}"
run_python facts command "have the function check itself" \
  "aws lambda invoke --function-name $XAPI_ETL_FUNCTION --cli-binary-format raw-in-base64-out --payload '{\"diagnostics\": true, \"clickhouse_check\": true}' /dev/stdout"
run_python facts command "see its log events" "make logs SERVICE=xapi-etl"
