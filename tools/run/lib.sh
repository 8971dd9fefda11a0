# Shared by the scripts of this folder: where things are, private PostgreSQL clusters, processes by pid file. Sourced, not run.
set -eu
cd "$(dirname "${BASH_SOURCE[0]}")/../.."
RUN=${LOGFOLD_RUN:-run}
BUILD=${LOGFOLD_BUILD:-build}
PGBIN=${PGBIN:-$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)}
mkdir -p "$RUN"

say() { echo "$*" >&2; }

# PostgreSQL refuses to run as root: a root caller runs it as the user postgres.
as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u postgres -- "$@") # it need not be able to see this folder
    else
        "$@"
    fi
}

# A folder for a cluster: under run/, or where the user postgres cannot get there (a clone in /root), under /var/tmp with a link.
cluster_folder() {
    local name=$1
    [ -e "$RUN/$name" ] && { readlink -f "$RUN/$name"; return; }
    mkdir -p "$RUN/$name"
    if [ "$(id -u)" = 0 ]; then
        if ! runuser -u postgres -- test -x "$(readlink -f "$RUN/$name")"; then
            rmdir "$RUN/$name"
            local aside
            aside=$(mktemp -d "/var/tmp/logfold-$name-XXXXXX")
            ln -s "$aside" "$RUN/$name"
        fi
        chown postgres: "$(readlink -f "$RUN/$name")"
    fi
    chmod 700 "$(readlink -f "$RUN/$name")"
    readlink -f "$RUN/$name"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The cluster's port: chosen once, kept in run/NAME.port.
cluster_port() {
    local name=$1 port
    if [ ! -e "$RUN/$name.port" ]; then
        port=$((20000 + RANDOM % 20000))
        while ! port_is_free "$port"; do port=$((port + 1)); done
        echo "$port" >"$RUN/$name.port"
    fi
    cat "$RUN/$name.port"
}

cluster_runs() { [ -e "$RUN/$1" ] && as_postgres "$PGBIN/pg_ctl" -D "$(cluster_folder "$1")/data" status >/dev/null 2>&1; }

# Makes and starts a cluster; further arguments are settings.
cluster_start() {
    local name=$1 folder port setting
    shift
    folder=$(cluster_folder "$name")
    if [ ! -e "$folder/data/PG_VERSION" ]; then
        as_postgres "$PGBIN/initdb" -D "$folder/data" -A trust -U postgres --no-sync -E UTF8 --locale=C.UTF-8 >/dev/null
        # The demonstration listens on this machine only and holds no secrets.
        as_postgres tee -a "$folder/data/postgresql.conf" >/dev/null <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
timezone = 'UTC'
max_connections = 50
$(for setting in "$@"; do echo "$setting"; done)
CONF
    fi
    cluster_runs "$name" && return 0
    port=$(cluster_port "$name")
    if ! port_is_free "$port"; then
        rm -f "$RUN/$name.port"
        port=$(cluster_port "$name")
    fi
    as_postgres "$PGBIN/pg_ctl" -D "$folder/data" -l "$folder/server.log" -o "-p $port" -w -t 60 start >/dev/null ||
        { say "could not start the $name cluster; see $folder/server.log"; exit 1; }
}

cluster_stop() {
    cluster_runs "$1" && as_postgres "$PGBIN/pg_ctl" -D "$(cluster_folder "$1")/data" -m fast -w stop >/dev/null
    return 0
}

cluster_sql() { # NAME DATABASE [psql arguments]
    local name=$1 database=$2
    shift 2
    "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$(cluster_port "$name")" -U postgres -d "$database" "$@"
}

pid_runs() { [ -e "$RUN/$1.pid" ] && kill -0 "$(cat "$RUN/$1.pid")" 2>/dev/null; }

# Ends a process by its pid file and waits.
pid_stop() {
    local pid i
    [ -e "$RUN/$1.pid" ] || return 0
    pid=$(cat "$RUN/$1.pid")
    kill -TERM "$pid" 2>/dev/null || true
    for i in $(seq 150); do
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.1
    done
    kill -KILL "$pid" 2>/dev/null || true
    rm -f "$RUN/$1.pid"
}
