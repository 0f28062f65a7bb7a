#!/usr/bin/env bash
# Gives the ZIP jobs that have no owner one.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"

usage() {
  cat <<'TEXT'
usage: scripts/assign_zip_owners.sh [--write] OWNER

Counts the ZIP jobs that were made before jobs had owners, and with --write stores OWNER as theirs. Until then operators
alone see them, and everybody where the API has no authorization. A job that has an owner is never changed, so it can be
repeated, and run while jobs are made.

  OWNER        as the API derives it from a caller:
                 arn:aws:iam::111122223333:role/Reports   a role, all its sessions
                 arn:aws:iam::111122223333:user/alice     a user
                 sub:https://issuer.example.com/#user-42  a token's issuer and sub
                 client_id:https://issuer.example.com/#app
                 cognito:eu-west-1:0f3c...                an identity of a Cognito identity pool
                 anonymous                                all callers of an API without authorization
  --write      change the jobs; else nothing is changed
  -h, --help   this text

The table is ZIP_JOBS_TABLE: from the environment, .env, or .local/outputs.env as written by the last deployment. The
caller needs dynamodb:Scan and dynamodb:UpdateItem on it.
TEXT
}

OPTIONS=()
OWNER=""
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --write) OPTIONS+=(--write) ;;
    -*) die_of_usage "unknown option $1" ;;
    *)
      [[ -z $OWNER ]] || die_of_usage "only one owner"
      OWNER=$1
      ;;
  esac
  shift
done
[[ -n $OWNER ]] || die_of_usage "whose are they to be?"

load_settings
require_settings ZIP_JOBS_TABLE
run_python zip_jobs.assign_owners ${OPTIONS[@]+"${OPTIONS[@]}"} -- "$OWNER"
