#!/usr/bin/env bash
# Checks the data aggregator's bundles against their manifests, finds sources in them, and cuts them back out.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/verify_bundles.sh [--prefix PREFIX] [--sources] [--grace-minutes N]
       scripts/verify_bundles.sh bundle s3://BUCKET/KEY.gz
       scripts/verify_bundles.sh find SOURCE_KEY [--prefix PREFIX] [--wait SECONDS]
       scripts/verify_bundles.sh cut s3://BUCKET/KEY.gz SOURCE_KEY [--version-id ID] [--output FILE]

Without a command, reads every bundle under PREFIX of the distribution bucket, compares it with its manifest byte by
byte, and checks that no source is in two bundles and that the archive has a copy of each; the exit status is 1 if
a check fails. 'bundle' does so for one bundle. 'find' prints the newest bundle that holds a source. 'cut' writes one
source, as it was bundled, to FILE or the terminal.

  --prefix PREFIX     only bundles of a time, such as 2026/11/21/
  --sources           also account for each version in the source bucket: in a bundle, in a deleted bundle (by the
                      table), or among the dead letters
  --wait SECONDS      maximum wait for a source that is in no bundle yet
  --grace-minutes N   younger objects may still lack a bundle, a manifest or a copy (default: 15)
  -h, --help          this text

The buckets are DISTRIBUTION_BUCKET, ARCHIVE_BUCKET and AGGREGATOR_SOURCE_BUCKET, the table is IDEMPOTENCY_TABLE, the queue
AGGREGATOR_DLQ_URL: from the environment, .env, or .local/outputs.env as written by the last deployment.
TEXT
}

case ${1:-} in
  -h | --help)
    usage
    exit 0
    ;;
  "" | --prefix | --sources | --grace-minutes | bundle | cut | find) ;;
  *) die_of_usage "unknown command $1" ;;
esac

load_settings
verify() {
  PYTHONPATH="$ROOT/scripts:$ROOT/lambdas" "$PYTHON" -m verify_bundles "$@"
}

if [[ ${1:-} == bundle || ${1:-} == cut ]]; then
  verify "$@"
elif [[ ${1:-} == find ]]; then
  require_settings DISTRIBUTION_BUCKET
  shift
  run_python aggregator.find_bundle "$DISTRIBUTION_BUCKET" "$@"
else
  require_settings DISTRIBUTION_BUCKET
  options=(--contents)
  if [[ -n ${ARCHIVE_BUCKET:-} ]]; then options+=(--archive "$ARCHIVE_BUCKET"); fi
  while (($#)); do
    case $1 in
      --sources)
        require_settings AGGREGATOR_SOURCE_BUCKET IDEMPOTENCY_TABLE AGGREGATOR_DLQ_URL
        options+=(--sources "$AGGREGATOR_SOURCE_BUCKET" --table "$IDEMPOTENCY_TABLE" --dlq "$AGGREGATOR_DLQ_URL")
        ;;
      --prefix | --grace-minutes)
        options+=("$1" "$(option_value "$@")")
        shift
        ;;
      *) die_of_usage "unknown option $1" ;;
    esac
    shift
  done
  verify bucket "$DISTRIBUTION_BUCKET" "${options[@]}"
fi
