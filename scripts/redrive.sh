#!/usr/bin/env bash
# Lists the dead letters of a queue and, with --send, sends them back.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/redrive.sh [--send] [--match TEXT] [--limit N] QUEUE

Lists the messages of a dead-letter queue, with the reason where it is known, and leaves them there. With --send it
redrives them: dead letters to their source queue, records of failed invocations to their function, as new invocations.
A message is deleted only after the destination has accepted it, so at worst it is delivered twice, which every service
here tolerates. A copy that has the reason (FailureReason) is shown with its message and deleted with it.

  QUEUE          name or URL of the dead-letter queue
  --send         send back; else nothing is changed
  --match TEXT   only messages with TEXT in their body or reason
  --limit N      maximum number of messages to read (default: 1000)
  -h, --help     this text

On AWS, SQS itself moves a whole queue (StartMessageMoveTask) if there are no copies and no --match. Messages that the
script reads are hidden from others until it ends, and for 15 minutes if it is killed. Exit status 1: a message could not
be sent; it is still in the queue.
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
