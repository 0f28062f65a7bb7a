#!/usr/bin/env bash
# The name that the reference documents give zip_job_roundtrip.sh: same options, same output.
set -euo pipefail
# shellcheck source=zip_job_roundtrip.sh
. "$(dirname "${BASH_SOURCE[0]}")/zip_job_roundtrip.sh"
