#!/usr/bin/env bash
# Make an environment with Flower of another release line, the rest shared with $PYTHON.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: deploy/flower-env.sh DIR LINE

Makes a virtual environment in DIR with Flower LINE (1.39, say) and the dependencies for which
it wants another release; everything else, torch above all, comes from $PYTHON's own packages
(default: python3), which are searched last. Takes 100 MB. One that is there already is kept.
Exit status 0: DIR/bin/python has that Flower; 1: it has not; 2: wrong usage.
USAGE
}

case "${1:-}" in
    -h | --help) usage && exit 0 ;;
esac
[ $# -eq 2 ] || { usage >&2 && exit 2; }
dir=$1 line=$2 python=${PYTHON:-python3}
purelib='import sysconfig; print(sysconfig.get_path("purelib"))'

if ! "$dir/bin/python" -c 'import flwr' 2>/dev/null; then
    mkdir -p "$(dirname "$dir")"
    "$python" -m venv --clear --without-pip "$dir"
    "$python" -c "$purelib" >"$("$dir/bin/python" -c "$purelib")/shared.pth"
    "$dir/bin/python" -m pip --version >/dev/null 2>&1 ||
        "$dir/bin/python" -m ensurepip --default-pip >/dev/null
    "$dir/bin/python" -m pip install --quiet --disable-pip-version-check "flwr~=$line.0"
fi
case "$("$dir/bin/python" -c 'import flwr; print(flwr.__version__)')" in
    "$line".*) ;;
    *) exit 1 ;;
esac
