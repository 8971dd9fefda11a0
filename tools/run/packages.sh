#!/bin/bash
# Installs the Debian packages that are missing, saying first which and why. Usage: packages.sh build|run|test|bench...
set -eu

build="gcc libc6-dev make libpq-dev liblmdb-dev libzstd-dev libxxhash-dev libpg-query-dev libprotobuf-c-dev
       libgmp-dev libinih-dev libsystemd-dev librdkafka-dev"
run="postgresql-15"
test="libcmocka-dev libmsgpack-dev libjansson-dev libyajl-dev python3 python3-pytest python3-psycopg2 postgresql-15 python3-confluent-kafka openssl zstd strace docker-compose"
bench="python3 python3-psycopg2 postgresql-15"
kafka="maven openjdk-17-jre-headless"
flink="maven openjdk-17-jdk-headless"
check="clang-14 clang-tidy-14 clang-format-14 python3 binutils libclang-rt-14-dev"

missing=""
for group in "$@"; do
    for package in ${!group}; do
        if ! dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null | grep -q '^installed$'; then
            case " $missing " in *" $package "*) ;; *) missing="$missing $package" ;; esac
        fi
    done
done
[ -z "$missing" ] && exit 0

echo "Packages missing for '$*':$missing" >&2
echo "They are installed now from Debian with apt-get (build: compiler and libraries; run: PostgreSQL for the private" >&2
echo "source and sink clusters; test: test runner; kafka: Java, and Maven to fetch Kafka and Debezium with; flink: its compiler)." >&2
sudo=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || { echo "Neither root nor sudo here. Please install by hand: apt-get install$missing" >&2; exit 1; }
    sudo="sudo"
fi
export DEBIAN_FRONTEND=noninteractive
# PostgreSQL's package would start a cluster of its own; the private ones need the programs only.
if [[ "$missing" == *postgresql-15* ]] && [ ! -e /etc/postgresql-common/createcluster.conf ]; then
    $sudo mkdir -p /etc/postgresql-common
    echo "create_main_cluster = false" | $sudo tee /etc/postgresql-common/createcluster.conf >/dev/null
fi
log=$(mktemp)
$sudo apt-get update -qq >"$log" 2>&1 || true
# shellcheck disable=SC2086
if ! $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    echo "Could not install them. Please install by hand: apt-get install$missing" >&2
    exit 1
fi
rm -f "$log"
