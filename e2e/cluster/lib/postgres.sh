# shellcheck shell=bash
# A PostgreSQL of the distribution's package beside the cluster, which pods reach at $HOST_IP.

POSTGRES_FOLDER=$STATE/postgres

# The newest version that is installed.
postgres_programs() {
  local found
  found=$(find /usr/lib/postgresql -mindepth 2 -maxdepth 2 -name bin 2>/dev/null | sort -V | tail -n 1)
  [ -n "$found" ] || fail "PostgreSQL is not installed: \`$0 install\`"
  echo "$found"
}

as_postgres() { inside setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; }

# postgres USER PASSWORD DATABASE...: starts it, makes what is missing, prints one DSN per database.
postgres() {
  local user=${1:-} password=${2:-} database word
  [ $# -ge 3 ] || fail "postgres needs USER PASSWORD DATABASE..."
  for word in "$@"; do
    # They end up in SQL and in URLs as they are.
    [[ "$word" =~ ^[a-z0-9_]+$ ]] || fail "user, password and databases are made of a-z, 0-9 and _, unlike \"$word\""
  done
  require_running
  [ -d "$POSTGRES_FOLDER/data" ] || create_postgres
  is_started postgres || start_postgres
  postgres_sql postgres "DO \$\$ BEGIN CREATE ROLE $user LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END \$\$;
    ALTER ROLE $user PASSWORD '$password';"
  shift 2
  for database in "$@"; do
    [ "$(postgres_sql postgres "SELECT count(*) FROM pg_database WHERE datname = '$database'")" = 1 ] ||
      postgres_sql postgres "CREATE DATABASE $database OWNER $user"
    echo "postgres://$user:$password@$HOST_IP:$POSTGRES_PORT/$database"
  done
}

# postgres-stop: `postgres` starts it again with the same data; how tests take databases away and give them back.
postgres_stop() {
  require_running
  is_started postgres || return 0
  as_postgres "$(postgres_programs)/pg_ctl" --pgdata "$POSTGRES_FOLDER/data" --mode fast --wait --silent stop
}

postgres_sql() {              # postgres_sql DATABASE SQL
  as_postgres "$(postgres_programs)/psql" --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 \
    --host "$POSTGRES_FOLDER" --port "$POSTGRES_PORT" --username postgres --dbname "$1" --command "$2"
}

create_postgres() {
  install -d -m 0700 -o postgres -g postgres "$POSTGRES_FOLDER"
  as_postgres "$(postgres_programs)/initdb" --pgdata "$POSTGRES_FOLDER/data" --username postgres \
    --auth-local trust --auth-host scram-sha-256 --encoding UTF8 --locale C.UTF-8 --data-checksums >"$LOGS/initdb.log" 2>&1 ||
    give_up "initdb failed" initdb
  echo "host all all $PODS scram-sha-256" >>"$POSTGRES_FOLDER/data/pg_hba.conf"
}

start_postgres() {
  start postgres setpriv --reuid=postgres --regid=postgres --clear-groups -- "$(postgres_programs)/postgres" \
    -D "$POSTGRES_FOLDER/data" -c "listen_addresses=127.0.0.1,$HOST_IP" -c "port=$POSTGRES_PORT" \
    -c "unix_socket_directories=$POSTGRES_FOLDER" -c max_connections=500
  wait_for postgres postgres_sql postgres "SELECT 1"
}
