# shellcheck shell=bash
# A progress bar for loops in bash; to be sourced. On a terminal one line that is drawn over, else a plain line
# whenever something changed and a few seconds have passed.

BAR_WIDTH=30
PLAIN_SECONDS=5
LAST_TEXT=""
LAST_TEXT_AT=-$PLAIN_SECONDS

# show_progress PERCENT TEXT
show_progress() {
  local percent=$1 text=$2 full bar
  if [[ -t 2 ]]; then
    full=$((percent * BAR_WIDTH / 100))
    bar="$(printf '%*s' "$full" '')"
    bar="${bar// /#}"
    printf '\r\033[K[%-*s] %3d %%  %s' "$BAR_WIDTH" "$bar" "$percent" "${text:0:100}" >&2
  elif [[ $text != "$LAST_TEXT" ]] && ((SECONDS - LAST_TEXT_AT >= PLAIN_SECONDS)); then
    printf '%3d %%  %s\n' "$percent" "$text" >&2
    LAST_TEXT=$text
    LAST_TEXT_AT=$SECONDS
  fi
}

# Leaves the bar's line.
end_progress() {
  if [[ -t 2 ]]; then
    printf '\n' >&2
  fi
}
