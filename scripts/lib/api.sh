# shellcheck shell=bash
# Calls to the HTTP API by curl; to be sourced after common.sh.
#
# curl reads credentials and signed URLs from its standard input: every user of the machine can see its arguments.

# Role credentials last for an hour at most, and a job may outlast them.
AUTH_SECONDS=240
AUTH_CONFIG=""
AUTH_READ_AT=""

# Sets AUTH_CONFIG to the curl configuration that authenticates the caller.
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

# call_api METHOD PATH RESPONSE_FILE [BODY_FILE]: sets HTTP_STATUS; 000 without a response.
call_api() {
  local method=$1 path=$2 response=$3 options
  read_auth
  options=(--silent --show-error --connect-timeout 10 --max-time 60 --request "$method" --output "$response")
  if [[ -n ${4:-} ]]; then
    options+=(--header "Content-Type: application/json" --data-binary "@$4")
  fi
  : >"$response"
  # shellcheck disable=SC2034  # callers read it
  HTTP_STATUS="$(printf '%s\n' "$AUTH_CONFIG" |
    curl --config - "${options[@]}" --write-out '%{http_code}' "${API_BASE%/}$path")" || HTTP_STATUS=000
}

# download URL FILE: prints the duration in seconds. The file appears only once it is complete.
download() {
  local url=$1 file=$2 noise="--silent" seconds
  [[ -t 2 ]] && noise="--progress-bar"
  seconds="$(printf 'url = "%s"\n' "$url" |
    curl --config - "$noise" --show-error --fail --location --retry 3 --connect-timeout 10 \
      --output "$file.part" --write-out '%{time_total}')" || return 1
  mv "$file.part" "$file"
  printf '%s' "$seconds"
}
