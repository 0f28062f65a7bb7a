#!/bin/sh
# Checks what cannot be installed into the checkout, and says of each missing thing how to get it.
#   TF=terraform PYTHON=python3.13 scripts/check_tools.sh python terraform curl unzip space
set -u
case ${1:-} in
  -h | --help)
    printf '%s\n' "usage: scripts/check_tools.sh TOOL..." "" \
      "Says of each missing TOOL how to get it; the exit status is 1 if any is missing." "" \
      "  TOOL         python (3.12 or newer, PYTHON), terraform (1.7 or newer, TF), space (on the disk, until all" \
      "               is installed; SPACE_MB), docker (with compose), or a command's name" \
      "  -h, --help   this text"
    exit 0
    ;;
esac
missing=0

say_missing() {
  printf 'missing: %s\n' "$1" >&2
  missing=1
}

check_python() {
  python=${PYTHON:-}
  if [ -z "$python" ]; then
    python=$(sh "$(dirname "$0")/choose_python.sh") || { missing=1; return; }
  fi
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
    say_missing "a Python 3.12 or newer: '$python' is none"
  elif ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
    say_missing "the venv module of $python: apt-get install python3-venv"
  fi
}

check_terraform() {
  tf=${TF:-terraform}
  if ! command -v "$tf" >/dev/null 2>&1; then
    say_missing "$tf 1.7 or newer: https://developer.hashicorp.com/terraform/install, or OpenTofu
         (https://opentofu.org/docs/intro/install) and then 'make TF=tofu ...'"
    return
  fi
  version=$("$tf" version 2>/dev/null | sed -n 's/^Terraform v//p;s/^OpenTofu v//p' | head -n 1)
  major=${version%%.*}
  rest=${version#*.}
  minor=${rest%%.*}
  if [ "${major:-0}" -lt 1 ] || { [ "$major" -eq 1 ] && [ "$minor" -lt 7 ]; }; then
    say_missing "$tf 1.7 or newer, this is ${version:-unknown}: https://developer.hashicorp.com/terraform/install"
  fi
}

# What `make demo` installs, builds and keeps; a pip that runs out of space says so only at the end of many lines.
check_space() {
  needed=${SPACE_MB:-3500}
  [ -d .local/clickhouse-venv ] && [ -d .local/ministack-venv ] && return
  free=$(df -Pk . | awk 'NR == 2 { print int($4 / 1024) }')
  [ "${free:-$needed}" -ge "$needed" ] || say_missing "$needed MB of free disk space in $PWD: there are $free MB"
}

check_docker() {
  docker compose version >/dev/null 2>&1 || say_missing "docker with its compose plugin: https://docs.docker.com/get-docker/"
}

for tool in "$@"; do
  case $tool in
    space) check_space ;;
    python) check_python ;;
    terraform) check_terraform ;;
    docker) check_docker ;;
    *) command -v "$tool" >/dev/null 2>&1 || say_missing "$tool: apt-get install $tool, or brew install $tool" ;;
  esac
done
exit "$missing"
