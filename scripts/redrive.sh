#!/usr/bin/env bash
# Lists the dead letters of a queue, and sends them back when told to.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/redrive.sh [--send] [--match TEXT] [--limit N] QUEUE

Lists what lies in a dead-letter queue, with the reason where it is known, and leaves it there. With --send it goes back:
dead letters to the queue that they came from, records of failed invocations to their function, as new invocations. A
message is deleted only when it was taken at the other end, so that at worst one comes twice, which every service here
bears. A copy that says why (FailureReason) is shown with its message and deleted with it.

  QUEUE          name or URL of the dead-letter queue
  --send         send back; else nothing is changed
  --match TEXT   only messages with TEXT in their body or reason
  --limit N      most messages to look at (default: 1000)
  -h, --help     this text

On AWS, SQS itself moves a whole queue (StartMessageMoveTask) where no copies and no --match are in the way. What is
looked at is hidden from others for as long as that takes, and for 15 minutes if this is killed. Exit status 1: something
could not be sent; it is still in the queue.
TEXT
}

OPTIONS=()
QUEUE=""
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --send) OPTIONS+=(--send) ;;
    --match)
      OPTIONS+=(--match "$(option_value "$@")")
      shift
      ;;
    --limit)
      LIMIT="$(option_value "$@")"
      require_whole_number "--limit" "$LIMIT"
      OPTIONS+=(--limit "$LIMIT")
      shift
      ;;
    -*) die_of_usage "unknown option $1" ;;
    *)
      [[ -z $QUEUE ]] || die_of_usage "only one queue"
      QUEUE=$1
      ;;
  esac
  shift
done
[[ -n $QUEUE ]] || die_of_usage "which queue?"

load_settings
run_python operations.redrive ${OPTIONS[@]+"${OPTIONS[@]}"} -- "$QUEUE"
