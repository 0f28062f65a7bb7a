#!/usr/bin/env bash
# Runs one ZIP job from the request to the verified download.
set -euo pipefail
# shellcheck source=lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib/common.sh"
# shellcheck source=lib/api.sh
. "$SCRIPTS/lib/api.sh"
# shellcheck source=lib/progress.sh
. "$SCRIPTS/lib/progress.sh"

usage() {
  printf 'usage: scripts/%s [--timeout SECONDS] [PREFIX]\n' "$(basename "$0")"
  cat <<'TEXT'

Creates a ZIP job, shows its progress, downloads the archive with curl, verifies it with 'unzip -t', and prints how to
do each step by hand. The exit status is 0 only if the archive is complete.

  PREFIX              archive the objects whose keys begin with it (default: uploads/);
                      "" archives the entire bucket
  --timeout SECONDS   give up on a job that is not ready by then (default: 900)
  -h, --help          this text

Read from the environment, .env, or .local/outputs.env as written by the last deployment, in this order:
  API_BASE                 the API's URL
  SRC_BUCKET, DST_BUCKET   the buckets
  DST_PREFIX               what the archive's key begins with (default: the service's own)
  API_AUTH                 AWS_IAM, JWT or NONE (default: AWS_IAM for a URL of AWS, else NONE)
  API_TOKEN                the bearer token, for JWT
  DOWNLOAD_DIR             where the archive is put (default: .local/downloads)
  AWS_REGION and AWS's usual variables for credentials
TEXT
}

FAILURES_IN_A_ROW=5
TIMEOUT=900
PREFIX="uploads/"
GIVEN=""
while (($#)); do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --timeout)
      TIMEOUT="$(option_value "$@")"
      shift
      ;;
    -?*) die_of_usage "unknown option $1" ;;
    *)
      [[ -z $GIVEN ]] || die_of_usage "only one prefix"
      PREFIX=$1
      GIVEN=yes
      ;;
  esac
  shift
done
require_whole_number "--timeout" "$TIMEOUT"

load_settings
require_settings API_BASE SRC_BUCKET DST_BUCKET AWS_REGION
WORK="$(mktemp -d)"
MANIFEST=""

clean_up() {
  if [[ -n $MANIFEST ]]; then
    run_python zip_jobs.delete_object "$MANIFEST" || printf 'left behind: s3://%s/%s\n' "$SRC_BUCKET" "$MANIFEST" >&2
  fi
  rm -rf "$WORK"
}
trap clean_up EXIT

# Sets JOB_ID.
create_job() {
  MANIFEST="$(run_python zip_jobs.request_body "$PREFIX" "$WORK/body.json")" || die "no job was created"
  call_api POST /zip-jobs "$WORK/created.json" "$WORK/body.json"
  if [[ $HTTP_STATUS == 000 ]]; then
    die "POST $API_BASE/zip-jobs got no answer; is the stack running (make up deploy-local), and the address right?"
  elif [[ $HTTP_STATUS != 202 ]]; then
    die "POST $API_BASE/zip-jobs answered $HTTP_STATUS: $(run_python zip_jobs.job_response problem "$WORK/created.json")"
  fi
  JOB_ID="$(run_python zip_jobs.job_response field "$WORK/created.json" jobId)" || die "POST $API_BASE/zip-jobs gave no job id"
  printf 'Job %s: s3://%s/%s\n' "$JOB_ID" "$SRC_BUCKET" "$PREFIX"
}

# Returns once the job has ended; sets STATUS and TEXT.
wait_for_job() {
  local failures=0 percent line pause=0.2
  while :; do
    call_api GET "/zip-jobs/$JOB_ID" "$WORK/job.json"
    case $HTTP_STATUS in
      200)
        failures=0
        line="$(run_python zip_jobs.job_response progress "$WORK/job.json")" || die_in_progress "GET $API_BASE/zip-jobs/$JOB_ID: not a job"
        IFS=$'\x1f' read -r STATUS percent TEXT <<<"$line"
        show_progress "$percent" "$TEXT"
        [[ $STATUS == PENDING ]] || break
        ;;
      000 | 429 | 5??) # passing trouble; polling goes on for a while
        failures=$((failures + 1))
        ((failures < FAILURES_IN_A_ROW)) || die_of_answer
        ;;
      *) die_of_answer ;;
    esac
    ((SECONDS < TIMEOUT)) || die_in_progress "job $JOB_ID is still ${STATUS:-unknown} after $TIMEOUT s (${TEXT:-no answer}); it goes on by itself"
    sleep "$pause"
    if ((SECONDS > 10)); then pause=1; fi
  done
  end_progress
}

die_in_progress() {
  end_progress
  die "$@"
}

die_of_answer() {
  if [[ $HTTP_STATUS == 000 ]]; then
    die_in_progress "GET $API_BASE/zip-jobs/$JOB_ID got no answer, $FAILURES_IN_A_ROW times in a row; the job goes on by itself"
  fi
  die_in_progress "GET $API_BASE/zip-jobs/$JOB_ID answered $HTTP_STATUS: $(run_python zip_jobs.job_response problem "$WORK/job.json")"
}

# Sets VERIFIED_WITH.
verify() {
  local archive=$1 options=()
  if command -v unzip >/dev/null; then
    unzip -tq "$archive" >"$WORK/unzip.txt" 2>&1 || die "unzip -t refuses $archive: $(tail -3 "$WORK/unzip.txt")"
    VERIFIED_WITH="unzip -t, and the job's size and CRC-32"
  else
    printf 'unzip is not installed: Python tests the archive instead\n' >&2
    options=(--test-members)
    VERIFIED_WITH="Python's zipfile (there is no unzip here), and the job's size and CRC-32"
  fi
  run_python zip_jobs.check_archive ${options[@]+"${options[@]}"} "$archive" "$WORK/job.json" >/dev/null ||
    die "$archive is not what the job made"
}

create_job
wait_for_job
case $STATUS in
  READY) ;;
  FAILED) die "job $JOB_ID failed: $TEXT" ;;
  CANCELLED) die "job $JOB_ID was cancelled by someone else" ;;
  *) die "job $JOB_ID has an unknown status: $STATUS" ;;
esac

ARCHIVE="${DOWNLOAD_DIR:-$ROOT/.local/downloads}/$JOB_ID.zip"
mkdir -p "$(dirname "$ARCHIVE")"
DOWNLOAD_URL="$(run_python zip_jobs.job_response field "$WORK/job.json" downloadUrl)" || die "job $JOB_ID has no download URL"
DOWNLOAD_SECONDS="$(download "$DOWNLOAD_URL" "$ARCHIVE")" || die "the download of job $JOB_ID failed"
verify "$ARCHIVE"
run_python zip_jobs.roundtrip_report "$WORK/job.json" "$WORK/body.json" "$ARCHIVE" "$DOWNLOAD_SECONDS" "$VERIFIED_WITH"
