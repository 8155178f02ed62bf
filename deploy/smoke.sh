#!/bin/sh
# Verifies one number from end to end, as a caller from outside. Exit code 0 when all of it went as it should.
#
#   COUNTERSIGN_KEY=sk_… sh deploy/smoke.sh https://verify.example.com +14155552671
#
# On staging the code is in the answer. In production a real text goes to that number, and you are asked for the code.
set -eu
url=${1:?the address of the server}
to=${2:?a number of your own, in E.164}
: "${COUNTERSIGN_KEY:?a secret key, from: countersign keys create}"

answer=$(mktemp)
trap 'rm -f "$answer"' EXIT

# call METHOD PATH [BODY]: leaves the body in $answer and the status in $status. The key is in no process list.
call() {
  status=$(
    printf 'header = "Authorization: Bearer %s"\n' "$COUNTERSIGN_KEY" |
      curl --silent --show-error --config - --max-time 40 --output "$answer" --write-out '%{http_code}' \
        --request "$1" ${3+--header 'Content-Type: application/json' --data "$3"} "$url$2"
  )
}

# member NAME: the first text member of that name in the answer.
member() { grep -o "\"$1\":\"[^\"]*\"" "$answer" | head -n 1 | cut -d '"' -f 4; }

fail() {
  echo "FAIL  $1: HTTP $status"
  cat "$answer"
  exit 1
}

expect() {
  if ! grep -q "$2" "$answer"; then fail "$1"; fi
  echo "ok    $1"
}

call GET /healthz
expect 'the server is alive' '"status":"ok"'
call GET /.well-known/jwks.json
expect 'the keys of proofs are public' '"crv":"Ed25519"'

# Our key is no token of theirs, so behind a proxy or not they must not answer.
for path in /metrics /dev/inbox/messages; do
  call GET "$path"
  case $status in 401 | 403 | 404) echo "ok    $path is closed to the outside" ;; *) fail "$path is open to the outside" ;; esac
done

call POST /v1/verifications "{\"to\":\"$to\"}"
expect 'a code went out' '"status":"pending"'
id=$(member id)
code=$(member preview_code)
if [ -z "$code" ]; then
  printf '      the code that came to %s: ' "$to"
  read -r code
fi

wrong=000000
if [ "$code" = "$wrong" ]; then wrong=000001; fi
call POST "/v1/verifications/$id/check" "{\"code\":\"$wrong\"}"
expect 'a wrong code is refused' '"reason":"wrong_code"'
call POST "/v1/verifications/$id/check" "{\"code\":\"$code\"}"
expect 'the right code is approved' '"reason":"approved"'
call POST "/v1/verifications/$id/check" "{\"code\":\"$code\"}"
expect 'it works once' '"reason":"already_used"'
