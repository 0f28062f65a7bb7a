# shellcheck shell=bash
# Calls to the HTTP API by curl; to be sourced after common.sh.
#
# Credentials and signed URLs reach curl as a configuration on its standard input: its arguments can be read by every
# user of the machine.

# Role credentials live for an hour at best and a job may take longer than is left of them.
AUTH_SECONDS=240
AUTH_CONFIG=""
AUTH_READ_AT=""

# Sets AUTH_CONFIG to the curl configuration that proves who is calling.
read_auth() {
  case $API_AUTH in
    NONE) ;;
    JWT)
      [[ -n ${API_TOKEN:-} ]] || die "this API wants a token: set API_TOKEN"
      AUTH_CONFIG="header = \"Authorization: Bearer $API_TOKEN\""
      ;;
    AWS_IAM)
      if [[ -z $AUTH_READ_AT ]] || ((SECONDS - AUTH_READ_AT > AUTH_SECONDS)); then
        AUTH_CONFIG="$(run_python common.curl_auth)" || die "cannot sign requests for this API (API_AUTH=AWS_IAM)"
        AUTH_READ_AT=$SECONDS
      fi
      ;;
    *) die "API_AUTH is '$API_AUTH'; it has to be AWS_IAM, JWT or NONE" ;;
  esac
}

# call_api METHOD PATH ANSWER_FILE [BODY_FILE]: sets HTTP_STATUS; 000 if no answer came.
call_api() {
  local method=$1 path=$2 answer=$3 options
  read_auth
  options=(--silent --show-error --connect-timeout 10 --max-time 60 --request "$method" --output "$answer")
  if [[ -n ${4:-} ]]; then
    options+=(--header "Content-Type: application/json" --data-binary "@$4")
  fi
  : >"$answer"
  # shellcheck disable=SC2034  # the callers' to read
  HTTP_STATUS="$(printf '%s\n' "$AUTH_CONFIG" |
    curl --config - "${options[@]}" --write-out '%{http_code}' "${API_BASE%/}$path")" || HTTP_STATUS=000
}

# download URL FILE: prints the seconds that it took. The file appears only once it is whole.
download() {
  local url=$1 file=$2 noise="--silent" seconds
  [[ -t 2 ]] && noise="--progress-bar"
  seconds="$(printf 'url = "%s"\n' "$url" |
    curl --config - "$noise" --show-error --fail --location --retry 3 --connect-timeout 10 \
      --output "$file.part" --write-out '%{time_total}')" || return 1
  mv "$file.part" "$file"
  printf '%s' "$seconds"
}
