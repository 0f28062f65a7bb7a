#!/bin/sh
# Prints the interpreter to work with: 3.13 (Lambda's) for choice, else another that is new enough.
case ${1:-} in
  -h | --help)
    printf '%s\n' "usage: scripts/choose_python.sh" "" \
      "Prints the first of python3.13, python3.14, python3.12 and python3 that is Python 3.12 or newer." "" \
      "  -h, --help   this text"
    exit 0
    ;;
esac
for name in python3.13 python3.14 python3.12 python3; do
  # Asked, not only looked for: version managers leave names on the path that run nothing.
  if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; then
    command -v "$name"
    exit 0
  fi
done
printf '%s\n' >&2 \
  "Python 3.12 or newer is missing (3.13 for choice). Get it from https://www.python.org/downloads/, or by one of" \
  "  brew install python@3.13" \
  "  apt-get install python3.13 python3.13-venv" \
  "  uv python install 3.13" \
  "  pyenv install 3.13"
exit 1
