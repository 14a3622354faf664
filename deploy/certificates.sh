#!/usr/bin/env bash
# Make a private certificate authority and a server certificate for a SuperLink.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: deploy/certificates.sh DIR [HOST...]

Writes into DIR, which is made if need be:
  ca.key      the authority's private key: keep it off the servers
  ca.crt      its certificate: every SuperNode and everyone who runs `flwr` needs a copy
  server.key  the SuperLink's private key
  server.pem  the SuperLink's certificate, for localhost, 127.0.0.1, ::1 and each HOST
HOST is a DNS name or an IP address, as the SuperNodes will write it.
Certificates last $DAYS days (default: 825). Files that exist are never overwritten.

Example: deploy/certificates.sh certificates superlink.example.org 192.0.2.7
USAGE
}

fail() {
    echo "certificates.sh: $*" >&2
    exit 1
}

case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    "" | -*) usage >&2 && exit 2 ;;
esac
dir=$1
shift
days=${DAYS:-825}

names="DNS:localhost,IP:127.0.0.1,IP:::1"
for host in "$@"; do
    case "$host" in
        "" | *[!A-Za-z0-9.:*-]*) fail "HOST must be a DNS name or an IP address; got '$host'." ;;
        *:*) names+=",IP:$host" ;;
        *[!0-9.]*) names+=",DNS:$host" ;;
        *) names+=",IP:$host" ;;
    esac
done

mkdir -p "$dir"
for file in ca.key ca.crt server.key server.pem; do
    [ ! -e "$dir/$file" ] || fail "$dir/$file exists; move it away or name another folder."
done
work=$(mktemp -d "$dir/.new.XXXXXX")
trap 'rm -rf "$work"' EXIT
umask 077

quietly() {
    "$@" >"$work/log" 2>&1 || fail "$1 $2 failed: $(tail -n 1 "$work/log")"
}

quietly openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -sha384 \
    -days "$days" -subj "/CN=fdd-flower private CA" \
    -addext "basicConstraints=critical,CA:TRUE" \
    -addext "keyUsage=critical,keyCertSign,cRLSign" \
    -keyout "$work/ca.key" -out "$work/ca.crt"
quietly openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -sha384 \
    -subj "/CN=${1:-localhost}" -keyout "$work/server.key" -out "$work/server.csr"
cat >"$work/extensions" <<EXTENSIONS
basicConstraints=critical,CA:FALSE
keyUsage=critical,digitalSignature
extendedKeyUsage=serverAuth
subjectAltName=$names
EXTENSIONS
quietly openssl x509 -req -sha384 -days "$days" -in "$work/server.csr" -CA "$work/ca.crt" \
    -CAkey "$work/ca.key" -set_serial "0x$(openssl rand -hex 16)" \
    -extfile "$work/extensions" -out "$work/server.pem"
quietly openssl verify -CAfile "$work/ca.crt" "$work/server.pem"

chmod 644 "$work/ca.crt" "$work/server.pem"
mv "$work/ca.key" "$work/ca.crt" "$work/server.key" "$work/server.pem" "$dir/"
echo "$dir: ca.crt and server.pem for ${names//,/, }, valid for $days days"
