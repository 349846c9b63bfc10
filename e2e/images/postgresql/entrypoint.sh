#!/bin/sh
# Starts PostgreSQL; makes its files first when the volume is empty.
#
# Does what the public image postgres:17-alpine does with the variables POSTGRES_USER,
# POSTGRES_PASSWORD, POSTGRES_DB and PGDATA and with /docker-entrypoint-initdb.d/*.sql,
# so that examples/postgresql.yaml runs with either image.
set -eu

user=${POSTGRES_USER:-postgres}
database=${POSTGRES_DB:-$user}
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"
sockets=/var/run/postgresql

# Local connections only, and those are trusted: nobody else gets in before the password is set.
sql() { psql --no-psqlrc --quiet --set ON_ERROR_STOP=1 --host "$sockets" --username "$user" "$@"; }

create() {
  : "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD to the password of the user $user}"
  initdb --username "$user" --auth-local trust --auth-host scram-sha-256 \
    --encoding UTF8 --locale C.UTF-8 --data-checksums
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
  echo "listen_addresses = '*'" >>"$PGDATA/postgresql.conf"
  pg_ctl --wait --options "-c listen_addresses=''" start
  sql --dbname postgres <<'S'
\getenv user POSTGRES_USER
\getenv password POSTGRES_PASSWORD
ALTER ROLE CURRENT_USER PASSWORD :'password';
S
  [ "$database" = postgres ] || sql --dbname postgres --set "name=$database" <<'S'
CREATE DATABASE :"name";
S
  for file in /docker-entrypoint-initdb.d/*.sql; do
    [ -f "$file" ] || continue
    echo "entrypoint: running $file"
    sql --dbname "$database" --file "$file"
  done
  pg_ctl --wait --mode fast stop
}

case ${1:-} in
  postgres) shift ;;
  -* | "") ;;
  *) exec "$@" ;;
esac

mkdir -p "$PGDATA"
chmod 0700 "$PGDATA"
[ -s "$PGDATA/PG_VERSION" ] || create
exec postgres "$@"
