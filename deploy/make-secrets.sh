#!/bin/sh
# Makes what is not there yet in secrets/, beside this file; touches nothing that is. Wants openssl.
#
# The folder is closed to others on this machine. The files in it are open to read, because Compose mounts them into
# containers as they are, and the user in there is not the one out here.
set -eu
cd "$(dirname "$0")"
mkdir -p secrets
chmod 700 secrets
cd secrets

# make NAME: keeps standard input as the secret NAME, unless it is there.
make() {
  content=$(cat)
  if [ -s "$1" ]; then return; fi
  printf '%s\n' "$content" >"$1"
  chmod 444 "$1"
  echo "made secrets/$1"
}

openssl rand -base64 48 | make secret_key
openssl rand -hex 32 | make metrics_token
echo "sk_$(openssl rand -hex 24)" | make staging_api_key
# Hexadecimal, so that they need no escape in a URL.
openssl rand -hex 24 | make postgres_password
openssl rand -hex 24 | make redis_password
echo "postgres://countersign:$(cat postgres_password)@postgres:5432/countersign" | make database_url
echo "redis://:$(cat redis_password)@redis:6379/0" | make redis_url
# noeviction: a limit that Redis throws away is a limit that starts anew. Appended to disk, for the same reason.
make redis_conf <<CONF
requirepass $(cat redis_password)
dir /data
appendonly yes
appendfsync everysec
save ""
maxmemory 256mb
maxmemory-policy noeviction
CONF

if [ ! -s twilio_auth_token ]; then
  echo "production wants Twilio's auth token in secrets/twilio_auth_token (mode 444); staging does not"
fi
