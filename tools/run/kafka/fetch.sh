#!/bin/bash
# Fetches a component's jars with Maven, once, and prints the folder they are in. Usage: fetch.sh kafka|debezium VERSION, or
# fetch.sh NAME VERSION FOLDER with NAME.pom.xml in FOLDER.
# Maven asks the repository that its own settings name (~/.m2/settings.xml: a mirror, a proxy) and checks every checksum.
set -eu
here=$(readlink -f "$(dirname "$0")")
what=$1
version=$2
pom=$(readlink -f "${3:-$here}")/$what.pom.xml
cache=${XDG_CACHE_HOME:-$HOME/.cache}/logfold
folder=$cache/$what-$version/lib
if [ ! -e "$folder" ]; then
    command -v mvn >/dev/null || { echo "could not fetch $what $version: Maven (mvn) is not installed" >&2; exit 1; }
    mkdir -p "$cache"
    part=$(mktemp -d "$cache/$what-$version-XXXXXX")
    trap 'rm -rf "$part"' EXIT
    echo "   fetching $what $version with Maven, once, into $cache" >&2
    if ! (cd "$part" && mvn -q -B -C -f "$pom" "-D$what.version=$version" -DoutputDirectory="$part/lib" \
        -DincludeScope=runtime -DbuildDirectory="$part/target" dependency:copy-dependencies) >"$part/log" 2>&1; then
        grep -m 3 'ERROR' "$part/log" >&2 || tail -n 5 "$part/log" >&2
        echo "could not fetch $what $version: is Maven's repository reached from here?" >&2
        exit 1
    fi
    rm -rf "$part/log" "$part/target"
    mv -T "$part" "${folder%/lib}" 2>/dev/null || true # another one was quicker
fi
[ -e "$folder" ] || { echo "could not fetch $what $version: $folder was not made" >&2; exit 1; }
echo "$folder"
