#!/bin/bash
# Puts together what the image holds: the installed programs, stripped, the libraries that they load (as ldd finds them, so that
# no list has to be kept), certificates, a user, a configuration. Usage: image.sh INSTALLED IMAGE
set -eu
made=$1
image=$2
programs=(usr/bin/procd usr/bin/statectl)

mkdir -p "$image/usr" "$image/etc/ssl/certs" "$image/etc/logfold" "$image/var/lib/logfold" "$image/var/lib/dpkg/status.d" "$image/tmp"
chmod 1777 "$image/tmp"
# As in Debian: the links that say that /lib is /usr/lib.
for link in bin lib lib64; do
    mkdir -p "$image/usr/$link"
    ln -sfn "usr/$link" "$image/$link"
done
mkdir -p "$image/usr/share"
cp -r "$made/usr/share/logfold" "$image/usr/share/"
for program in "${programs[@]}"; do
    install -m 755 -s "$made/$program" "$image/$program"
done

libraries=$(for program in "${programs[@]}"; do ldd "$image/$program"; done |
    awk '$2 == "=>" && $3 ~ "^/" {print $3} $1 ~ "^/" {print $1}' | sort -u)
for library in $libraries; do
    install -D -m 755 "$(readlink -f "$library")" "$image/usr${library#/usr}"
    # What Debian knows of the package goes along, for those who look for known faults, and its licence, as that asks.
    package=$(dpkg -S "$(readlink -f "$library")" 2>/dev/null || dpkg -S "${library#/usr}" 2>/dev/null || dpkg -S "/usr${library#/usr}")
    package=${package%%:*}
    dpkg-query -s "$package" >"$image/var/lib/dpkg/status.d/$package"
    install -D -m 644 "/usr/share/doc/$package/copyright" "$image/usr/share/doc/$package/copyright" 2>/dev/null || true
done

cp /etc/ssl/certs/ca-certificates.crt "$image/etc/ssl/certs/"
echo "hosts: files dns" >"$image/etc/nsswitch.conf"
printf 'root:x:0:0:root:/root:/usr/sbin/nologin\nlogfold:x:10001:10001:logfold:/var/lib/logfold:/usr/sbin/nologin\n' >"$image/etc/passwd"
printf 'root:x:0:\nlogfold:x:10001:\n' >"$image/etc/group"
printf '[pipeline]\nstore = /var/lib/logfold/store\n' >"$image/etc/logfold/logfold.conf"
chown 10001:10001 "$image/var/lib/logfold"
chmod 700 "$image/var/lib/logfold"
