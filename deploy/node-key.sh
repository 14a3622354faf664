#!/usr/bin/env bash
# Make the key pair with which a SuperNode proves who it is.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: deploy/node-key.sh FILE

Writes FILE, the private key (EC P-384, OpenSSH format, no passphrase: Flower takes no other),
which stays on the SuperNode's machine, and FILE.pub, which whoever runs the SuperLink registers:
  flwr supernode register FILE.pub SUPERLINK
Files that exist are never overwritten.

Example: deploy/node-key.sh keys/clinic-a
USAGE
}

case "${1:-}" in
    -h | --help) usage && exit 0 ;;
    "" | -*) usage >&2 && exit 2 ;;
esac
for file in "$1" "$1.pub"; do
    if [ -e "$file" ]; then
        echo "node-key.sh: $file exists; move it away or name another file." >&2
        exit 1
    fi
done
mkdir -p "$(dirname "$1")"
umask 077
ssh-keygen -q -t ecdsa -b 384 -N "" -C "$(basename "$1")" -f "$1"
chmod 644 "$1.pub"
echo "$1: private, stays here; $1.pub: register this one"
