#!/bin/bash
# What the image does: run.sh broker | connect | register
set -eu
connector=http://${CONNECT_HOST:-connect}:8083/connectors/finance

# Until the connector and its task run, or one has failed.
await_running() {
    local state
    for _ in $(seq 60); do
        state=$(curl -fsS "$connector/status" 2>/dev/null | grep -o '"state":"[A-Z]*"' | sort -u | tr '\n' ' ') || state=""
        case "$state" in
        *FAILED*) curl -sS "$connector/status" >&2; exit 1 ;;
        '"state":"RUNNING" ') [ "$(curl -fsS "$connector/tasks")" != "[]" ] && { echo "the connector runs"; exit 0; } ;;
        esac
        sleep 1
    done
    echo "the connector does not run: ${state:-no answer}" >&2
    exit 1
}

case "${1:-}" in
broker)
    if [ ! -e /var/lib/kafka/data/meta.properties ]; then
        id=$(java -cp "/opt/kafka/*" kafka.tools.StorageTool random-uuid 2>/dev/null | tail -n 1)
        java -cp "/opt/kafka/*" kafka.tools.StorageTool format -t "$id" -c /etc/kafka/broker.properties
    fi
    exec java "${KAFKA_HEAP:--Xmx256m}" -cp "/opt/kafka/*" kafka.Kafka /etc/kafka/broker.properties
    ;;
connect)
    exec java "${KAFKA_HEAP:--Xmx512m}" -cp "/opt/kafka/*" org.apache.kafka.connect.cli.ConnectDistributed /etc/kafka/connect.properties
    ;;
register)
    curl -fsS --retry 30 --retry-delay 1 --retry-all-errors -X PUT -H 'Content-Type: application/json' \
        --data @/etc/kafka/connector.json "$connector/config" >/dev/null
    await_running
    ;;
*)
    echo "usage: run.sh broker | connect | register" >&2
    exit 64
    ;;
esac
