#!/usr/bin/env bash
# Demo step: 2,000 small objects become a few bundles, each object in exactly one.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

COUNT=2000
load_settings
require_settings AGGREGATOR_SOURCE_BUCKET AGGREGATOR_QUEUE_URL DATA_AGGREGATOR_FUNCTION DISTRIBUTION_BUCKET ARCHIVE_BUCKET
# A prefix of this run's own: what an earlier run has put there is bundled already.
PREFIX="demo/$(date -u +%Y%m%dT%H%M%SZ)/"

run_python common.demo_notes title "Data aggregator: $COUNT small objects become a few gzip bundles"
printf '\n== Data aggregator ==\n1. %s small objects land\n' "$COUNT"
# The offline stack has no batching window and hands over ten messages at most. So they are held back until all objects
# are there, and handed over in batches of 1,000, as AWS would.
trap 'run_python aggregator.pause_trigger release "$AGGREGATOR_QUEUE_URL"' EXIT
run_python aggregator.pause_trigger hold "$AGGREGATOR_QUEUE_URL"
run_python aggregator.small_objects "$AGGREGATOR_SOURCE_BUCKET" "$PREFIX" "$COUNT"
printf '2. Their messages reach the function\n'
run_python aggregator.invoke_batches "$AGGREGATOR_QUEUE_URL" "$DATA_AGGREGATOR_FUNCTION" "$COUNT"
run_python aggregator.pause_trigger release "$AGGREGATOR_QUEUE_URL"
trap - EXIT
printf '3. Bundles appear, and their copies in the archive\n'
run_python aggregator.watch_bundles "$AGGREGATOR_SOURCE_BUCKET" "$PREFIX" "$DISTRIBUTION_BUCKET" "$ARCHIVE_BUCKET"
run_python common.demo_notes happened "{Size}, {Compression}; {Proof}"
run_python common.demo_notes look "s3://$DISTRIBUTION_BUCKET/, copies in s3://$ARCHIVE_BUCKET/"
run_python common.demo_notes try "scripts/verify_bundles.sh"
