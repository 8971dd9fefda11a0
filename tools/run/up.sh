#!/bin/bash
# The whole pipeline on this machine: private source and sink PostgreSQL, a workload that never rests, procd. Run again: no harm.
# ACME_RATE sets the workload's transactions a second (default 20). KAFKA=1: through a Kafka broker and Debezium (kafka.sh).
. "$(dirname "$0")/lib.sh"
rate=${ACME_RATE:-20}
kafka=${KAFKA:-}
[ "$kafka" = 0 ] && kafka=""

# A store has the positions of one source.
if [ -e "$RUN/logfold.conf" ] && grep -q '^url *= kafka:' "$RUN/logfold.conf"; then was=1; else was=""; fi
if [ -e "$RUN/store" ] && [ "${was:+1}" != "${kafka:+1}" ]; then
    say "$RUN/ holds a pipeline that reads $([ -n "$was" ] && echo Kafka || echo PostgreSQL itself); go on with it by" \
        "make all$([ -n "$was" ] && echo ' KAFKA=1'), or make clean first"
    exit 1
fi

say "== source PostgreSQL"
cluster_start source "wal_level = logical" "max_wal_senders = 10" "max_replication_slots = 10" "fsync = on"
if ! cluster_sql source postgres -Atc "SELECT 1 FROM pg_database WHERE datname = 'finance_db'" | grep -q 1; then
    cluster_sql source postgres -c "CREATE DATABASE finance_db"
    cluster_sql source finance_db -o /dev/null -f tools/run/acme_source.sql
fi
say "   port $(cluster_port source), database finance_db; log: $(cluster_folder source)/server.log"

say "== sink PostgreSQL"
cluster_start sink
if ! cluster_sql sink postgres -Atc "SELECT 1 FROM pg_database WHERE datname = 'analytics'" | grep -q 1; then
    cluster_sql sink postgres -c "CREATE DATABASE analytics"
fi
say "   port $(cluster_port sink), database analytics"

source_section() {
    if [ -n "$kafka" ]; then
        cat <<CONF
url               = kafka://127.0.0.1:$(cluster_port broker)
topic_prefix      = finance
transaction_topic = finance.transaction
CONF
    else
        cat <<CONF
url         = postgresql://cdc_user@127.0.0.1:$(cluster_port source)/finance_db
publication = cdc_publication
slot        = logfold_acme
CONF
    fi
}

if [ -n "$kafka" ]; then
    tools/run/kafka.sh start
fi

cat >"$RUN/logfold.conf" <<CONF
[pipeline]
name   = acme
schema = schemas/acme.sql
store  = $RUN/store

[source]
$(source_section)

[sink]
url    = postgresql://postgres@127.0.0.1:$(cluster_port sink)/analytics
schema = public
CONF

if ! pid_runs workload; then
    say "== workload: $rate transactions a second (set ACME_RATE to change it)"
    nohup "$PGBIN/pgbench" -h 127.0.0.1 -p "$(cluster_port source)" -U postgres -n -c 2 -R "$rate" -T 100000000 \
        -f tools/run/order.pgbench@80 -f tools/run/customer.pgbench@5 -f tools/run/product.pgbench@5 -f tools/run/tidy.pgbench@10 \
        finance_db >"$RUN/workload.log" 2>&1 </dev/null &
    echo $! >"$RUN/workload.pid"
fi

if ! pid_runs procd; then
    say "== procd; log: $RUN/procd.log"
    nohup "$BUILD/procd" -c "$RUN/logfold.conf" >>"$RUN/procd.log" 2>&1 </dev/null &
    echo $! >"$RUN/procd.pid"
fi
"$BUILD/statectl" -c "$RUN/logfold.conf" wait --idle --sink --timeout 60s || {
    say "procd has not caught up; the end of its log:"
    tail -n 5 "$RUN/procd.log" >&2
    exit 1
}
