# shellcheck shell=bash
# A progress bar for loops in bash; scripts source it. A terminal shows one line that is redrawn; otherwise a plain line
# appears when the text has changed and a few seconds have passed.

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

# Ends the line of the bar.
end_progress() {
  if [[ -t 2 ]]; then
    printf '\n' >&2
  fi
}
