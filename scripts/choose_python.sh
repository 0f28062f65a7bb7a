#!/bin/sh
# Prints the interpreter to work with: Python 3.13, which Lambda runs the functions with.
case ${1:-} in
  "" | --any) ;;
  *)
    printf '%s\n' "usage: scripts/choose_python.sh [--any]" "" \
      "Prints where Python 3.13 is: on the path, or where pyenv, uv and Homebrew put it." "" \
      "  --any        any Python 3.8 or newer will do, which is enough for 'make doctor'" \
      "  -h, --help   this text"
    case $1 in -h | --help) exit 0 ;; *) exit 2 ;; esac
    ;;
esac

# Each candidate runs, because version managers leave names on the path that run nothing. And a virtual environment that is
# active, which may be the one to be made anew, is passed over for the interpreter that it was made with.
show_if() {
  "$2" -c "import sys; sys.exit(1) if not ($1) else print(getattr(sys, '_base_executable', '') or sys.executable)" 2>/dev/null
}

for name in python3.13 python3 python \
  "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3.13 \
  "${UV_PYTHON_INSTALL_DIR:-${XDG_DATA_HOME:-$HOME/.local/share}/uv/python}"/cpython-3.13*/bin/python3.13 \
  "${HOMEBREW_PREFIX:-/opt/homebrew}"/opt/python@3.13/bin/python3.13; do
  show_if "sys.version_info[:2] == (3, 13)" "$name" && exit 0
done
if [ "${1:-}" = --any ]; then
  for name in python3 /usr/bin/python3 python3.14 python3.12 python3.11 python3.10 python3.9 python3.8; do
    show_if "sys.version_info >= (3, 8)" "$name" && exit 0
  done
fi
printf '%s\n' >&2 \
  "missing: Python 3.13 (the version that Lambda runs the functions with). Get it by one of" \
  "  pyenv install 3.13" \
  "  apt-get install python3.13 python3.13-venv" \
  "  brew install python@3.13" \
  "  uv python install 3.13" \
  "or name it: make PYTHON=/path/to/python3.13 ..."
exit 1
