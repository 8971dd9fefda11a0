#!/bin/bash
# A Kafka broker and Kafka Connect with Debezium beside the source cluster, from Maven's jars, without a container engine.
# Usage: kafka.sh start|stop|status. Debezium reads ACME's source into the topics finance.operations.TABLE and
# finance.transaction. Versions: KAFKA_VERSION, DEBEZIUM_VERSION (4.1.0 and 3.3.1.Final; 3.9.1 goes with 2.7.4.Final).
. "$(dirname "$0")/lib.sh"
kafka_version=${KAFKA_VERSION:-4.1.0}
debezium_version=${DEBEZIUM_VERSION:-3.3.1.Final}
folder=$(readlink -m "$RUN")/kafka
limit=120 # seconds that a start may take

# Fills in a template of tools/run/kafka.
fill() { # TEMPLATE FILE
    sed -e "s|@BROKER_PORT@|$(cluster_port broker)|g" -e "s|@CONTROLLER_PORT@|$(cluster_port controller)|g" \
        -e "s|@CONNECT_PORT@|$(cluster_port connect)|g" -e "s|@SOURCE_PORT@|$(cluster_port source)|g" \
        -e "s|@FOLDER@|$folder|g" -e "s|@PLUGINS@|$(dirname "${debezium:-/none}")|g" "tools/run/kafka/$1" >"$2"
}

# Asks Connect; the answer's status must be 2xx. A body comes from standard input.
connect_ask() { # METHOD PATH
    local body="" answer
    [ "$1" = GET ] || body=$(cat)
    answer=$( (
        exec 3<>"/dev/tcp/127.0.0.1/$(cluster_port connect)" || exit 1
        printf '%s %s HTTP/1.0\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s' \
            "$1" "$2" "$(printf %s "$body" | wc -c)" "$body" >&3
        timeout 30 cat <&3
    ) 2>/dev/null) || return 1
    echo "$answer" | tail -n 1
    echo "$answer" | head -n 1 | grep -q ' 2[0-9][0-9]'
}

# Waits for a condition; a process that ended or the time limit is an error, shown with the end of its log.
wait_for() { # PROCESS WHAT COMMAND...
    local process=$1 what=$2 end=$((SECONDS + limit))
    shift 2
    until "$@"; do
        if ! pid_runs "$process" || [ $SECONDS -gt $end ]; then
            say "could not start $process: $(pid_runs "$process" && echo "no $what after $limit s" || echo "it ended"); the end of $RUN/$process.log:"
            tail -n 15 "$RUN/$process.log" >&2
            exit 1
        fi
        sleep 0.2
    done
}

broker_is_up() { grep -q 'Kafka Server started' "$RUN/broker.log" && ! port_is_free "$(cluster_port broker)"; }
connect_is_up() { connect_ask GET / >/dev/null; }
registered() { connect_ask PUT /connectors/acme/config <"$folder/connector.json" >/dev/null; }
snapshot_is_done() { # the task's own log says so, also where the snapshot was made in an earlier run
    if connect_ask GET /connectors/acme/status | grep -q FAILED; then
        say "Debezium has failed: $(connect_ask GET /connectors/acme/status | cut -c 1-1500)"
        exit 1
    fi
    grep -q 'Snapshot ended with SnapshotResult' "$RUN/connect.log"
}

start_java() { # NAME MEMORY CLASSPATH CLASS ARGUMENT...
    local name=$1 memory=$2 jars=$3
    shift 3
    nohup java "-Xmx$memory" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 "-Djava.io.tmpdir=$folder" \
        -Dorg.slf4j.simpleLogger.showDateTime=true "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS" \
        -cp "$jars/*" "$@" >"$RUN/$name.log" 2>&1 </dev/null &
    echo $! >"$RUN/$name.pid"
}

free_ports() { # a port that another program has taken since is given up
    local name
    for name in "$@"; do
        port_is_free "$(cluster_port "$name")" || rm -f "$RUN/$name.port"
    done
}

start_broker() {
    local jars=$1
    pid_runs broker && return
    say "== Kafka broker $kafka_version"
    mkdir -p "$folder"
    free_ports broker controller
    fill broker.properties "$folder/broker.properties"
    if [ ! -e "$folder/data/meta.properties" ]; then
        java -Xmx128m -cp "$jars/*" kafka.tools.StorageTool format -t "$(head -c 16 /dev/urandom | base64 | tr '+/' AA | cut -c 1-22)" \
            -c "$folder/broker.properties" >"$RUN/broker.log" 2>&1 ||
            { say "could not format $folder/data:"; tail -n 5 "$RUN/broker.log" >&2; exit 1; }
    fi
    start_java broker 256m "$jars" kafka.Kafka "$folder/broker.properties"
    wait_for broker "line that it has started" broker_is_up
    say "   port $(cluster_port broker); log: $RUN/broker.log"
}

start_connect() {
    local jars=$1
    debezium=$2
    pid_runs connect && return
    say "== Kafka Connect with Debezium $debezium_version"
    free_ports connect
    fill connect.properties "$folder/connect.properties"
    fill connector.json "$folder/connector.json"
    start_java connect 512m "$jars" org.apache.kafka.connect.cli.ConnectDistributed "$folder/connect.properties"
    wait_for connect "answer" connect_is_up
    wait_for connect "connector" registered
    say "   Debezium reads the source into the topics finance.operations.*; log: $RUN/connect.log"
    wait_for connect "end of Debezium's snapshot" snapshot_is_done
}

case ${1:-} in
start)
    kafka=$("tools/run/kafka/fetch.sh" kafka "$kafka_version")
    debezium=$("tools/run/kafka/fetch.sh" debezium "$debezium_version")
    start_broker "$kafka"
    start_connect "$kafka" "$debezium"
    ;;
stop)
    pid_stop connect
    pid_stop broker
    ;;
status)
    for name in broker connect; do
        if pid_runs "$name"; then echo "$name    runs on port $(cluster_port "$name"), pid $(cat "$RUN/$name.pid")"; else echo "$name    stopped"; fi
    done
    if pid_runs connect; then
        connect_ask GET /connectors/acme/status | sed -n 's/.*"tasks":\[{"id":0,"state":"\([A-Z]*\)".*/debezium   \1/p'
    fi
    ;;
*)
    say "usage: kafka.sh start|stop|status"
    exit 64
    ;;
esac
