#!/usr/bin/env bash
# Demo step: 500 PDFs become one ZIP.
set -euo pipefail
# shellcheck source=../lib/common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../lib/common.sh"

COUNT=500
PREFIX="demo/zip-jobs/"
DIR="$ROOT/.local/demo/zip-jobs"

run_python common.demo_notes title "ZIP jobs: $COUNT PDFs in S3 become one archive"
run_python common.demo_notes happened "The archive: {Size}; from request to READY {From request to READY}"
run_python common.demo_notes happened "Verified with {Verified with}"
run_python common.demo_notes look "{Archive here}"
run_python common.demo_notes try "make test-flow PREFIX=$PREFIX"
printf '\n== ZIP jobs ==\n1. %s PDFs are drawn\n' "$COUNT"
if [[ -d $DIR && $(find "$DIR" -name '*.pdf' | wc -l) -eq $COUNT ]]; then
  printf 'an earlier demo has drawn them, in %s\n' "$DIR"
else
  "$SCRIPTS/generate_pdfs.sh" "$COUNT" "$DIR"
fi
printf '2. They are uploaded\n'
"$SCRIPTS/bulk_upload.sh" --prefix "$PREFIX" --parallel 20 "$DIR"
printf '3. A job archives them; the archive is downloaded and verified\n'
"$SCRIPTS/zip_job_roundtrip.sh" "$PREFIX"
