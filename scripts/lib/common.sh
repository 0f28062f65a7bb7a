# shellcheck shell=bash
# Functions that every script sources first. Compatible with bash 3.2, which macOS still has.

SCRIPTS="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
ROOT="$(dirname "$SCRIPTS")"
PYTHON="$ROOT/.venv/bin/python"

# Ends the script with an error.
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# Ends the script with a usage error.
die_of_usage() {
  printf '%s: %s (--help says more)\n' "$(basename "$0")" "$*" >&2
  exit 2
}

# Runs a module of scripts/lib: run_python FOLDER.MODULE ARGUMENT...
run_python() {
  local module=$1
  shift
  PYTHONPATH="$SCRIPTS${PYTHONPATH:+:$PYTHONPATH}" "$PYTHON" -m "lib.$module" "$@"
}

require_venv() {
  [[ -x $PYTHON ]] || die "the checkout has no .venv yet: run 'make up' once, which makes it"
}

# Completes the environment from .env and .local/outputs.env (lib/common/settings.py defines the precedence).
load_settings() {
  local assignments
  require_venv
  assignments="$(run_python common.settings "$ROOT")" || die "cannot read the settings"
  eval "$assignments"
  # Empty in the outputs of a deployment on AWS; boto3 would take an empty value for a URL.
  [[ -n ${AWS_ENDPOINT_URL:-} ]] || unset AWS_ENDPOINT_URL
}

# Ends the script unless every named variable has a value.
require_settings() {
  local name
  for name in "$@"; do
    [[ -n ${!name:-} ]] || die "$name is not known: deploy first (make up deploy-local, or make tf-apply), or set it in .env"
  done
}

# The value after an option; ends the script if there is none.
option_value() {
  [[ $# -ge 2 && -n $2 ]] || die_of_usage "$1 needs a value"
  printf '%s' "$2"
}

require_whole_number() {
  [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || die_of_usage "$1 has to be a whole number of at least 1, not '$2'"
}
