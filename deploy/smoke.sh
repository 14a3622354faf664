#!/usr/bin/env bash
# One real deployment on this machine, start to finish: SuperLink, two SuperNodes, two rounds.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: deploy/smoke.sh [--plain | --tls] [--flwr 1.41 | --flwr 1.39] [--all] [--venv DIR] [--keep]

Starts a SuperLink and two SuperNodes, each with records of its own and its own port on
127.0.0.1, submits the app with `flwr run` for two rounds, and checks what the run left.

  --plain     without TLS (default)
  --tls       with TLS and node authentication; also checks that strangers are turned away
  --flwr X.Y  the Flower release line; 1.39 speaks gRPC to its SuperNodes, 1.41 HTTP
              (default: the one that $PYTHON has)
  --all       1.41 and 1.39, plain and TLS: four forms, about four minutes on two cores
  --venv DIR  where environments for other releases are made and found again
              (default: a temporary folder); each takes 100 MB: the rest is shared with $PYTHON
  --keep      keep the work folder of a run that passed too

$PYTHON (default: python3) must have the dependencies of fdd-flower. Processes are ended by
their ids when the script ends. Exit status 0: every check held; 1: one did not, and the ends
of the logs are shown; 2: wrong usage.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
transport=plain
flwr=
all=
venv=
keep=

wrong() {
    echo "smoke: $*" >&2
    exit 2
}

while [ $# -gt 0 ]; do
    case "$1" in
        --plain) transport=plain ;;
        --tls) transport=tls ;;
        --all) all=1 ;;
        --keep) keep=1 ;;
        --flwr | --venv)
            [ $# -ge 2 ] || wrong "$1 needs a value."
            [ "$1" = --flwr ] && flwr=$2 || venv=$2
            shift
            ;;
        -h | --help) usage && exit 0 ;;
        *) wrong "unknown argument '$1'; see --help." ;;
    esac
    shift
done
case "$flwr" in "" | 1.39 | 1.40 | 1.41) ;; *) wrong "--flwr must be 1.39 to 1.41; got '$flwr'." ;; esac

here_flwr=$("$python" -c 'import flwr; print(flwr.__version__)' 2>/dev/null) ||
    wrong "$python has no flwr; install fdd-flower, or set PYTHON to the python that has it."
python=$("$python" -c 'import sys; print(sys.executable)')

# ---------------------------------------------------------------- one form or all

if [ -n "$all" ]; then
    failed='' child=''
    shared=${venv:-$(mktemp -d "${TMPDIR:-/tmp}/fdd-smoke-venv.XXXXXX")}
    [ -n "$venv" ] || trap 'rm -rf "$shared"' EXIT
    trap '[ -z "$child" ] || { kill -TERM "$child"; wait "$child"; }; exit 1' INT TERM
    for version in 1.41 1.39; do
        for form in plain tls; do
            PYTHON=$python bash "$0" "--$form" --flwr "$version" --venv "$shared" \
                ${keep:+--keep} &
            child=$!
            wait "$child" || failed+=" $version/$form" # wait: a signal is heard
        done
    done
    [ -z "$failed" ] || { echo "smoke: FAILED:$failed" >&2 && exit 1; }
    echo "smoke: all four forms passed"
    exit 0
fi

me=smoke
# shellcheck source=deploy/local_federation.sh
. "$here/local_federation.sh"

what_failed() {
    echo "flwr ${flwr:-$here_flwr}, $transport"
}

# ---------------------------------------------------------------- Flower of the release asked for

case "$here_flwr" in
    "${flwr:-$here_flwr}" | "$flwr".*) ;;
    *)
        dir=${venv:-$work/venv}/flwr-$flwr
        PYTHON=$python bash "$here/flower-env.sh" "$dir" "$flwr" >"$work/install.log" 2>&1 ||
            fail "flwr $flwr could not be installed into $dir"
        python=$dir/bin/python
        ;;
esac
version=$("$python" -c 'import flwr; print(flwr.__version__)')
step "flwr $version, $transport, on $("$python" -c 'import platform; print(platform.platform())')"

# ---------------------------------------------------------------- folders, settings, keys

isolate
cp "$work/app/pyproject.toml" "$work/pyproject.before"
"$python" "$here/smoke_data.py" "$work/data" >"$work/data.log" 2>&1 || fail "no data"

# The SuperLink's two ports, and one for each SuperNode.
read -r -a ports < <(free_ports 8)

port=${ports[0]} fleet_port=${ports[1]}
superlink=(--host 127.0.0.1 --port "$port" --disable-runtime-dependency-installation)
fleet=127.0.0.1:$port
case "$version" in
    1.39.*) # the Fleet API has a port of its own, and is gRPC
        superlink+=(--fleet-api-address "127.0.0.1:$fleet_port")
        fleet=127.0.0.1:$fleet_port
        ;;
esac
{
    echo '[superlink]'
    echo 'default = "smoke"'
    echo '[superlink.smoke]'
    echo "address = \"127.0.0.1:$port\""
    if [ "$transport" = tls ]; then
        echo "root-certificates = \"$work/tls/ca.crt\""
    else
        echo 'insecure = true'
    fi
} >"$work/flwr/config.toml"

secure=(--insecure)
if [ "$transport" = tls ]; then
    "$here/certificates.sh" "$work/tls" >"$work/keys.log"
    "$here/certificates.sh" "$work/other" >>"$work/keys.log" # of an authority nobody knows
    for name in a b stranger; do "$here/node-key.sh" "$work/keys/$name" >>"$work/keys.log"; done
    superlink+=(--ssl-ca-certfile "$work/tls/ca.crt" --ssl-certfile "$work/tls/server.pem"
        --ssl-keyfile "$work/tls/server.key" --enable-supernode-auth)
    secure=(--root-certificates "$work/tls/ca.crt")
else
    superlink+=(--insecure)
fi

# ---------------------------------------------------------------- processes

cd "$work/cwd" # empty: nothing is imported from it

next=2
supernode() { # supernode NAME OPTIONS...: the command line, in $command
    command=(flower-supernode --superlink "$fleet" --host 127.0.0.1 --port "${ports[next]}"
        --node-config "client-name=\"clinic-$1\" data-path=\"$work/data/$1.npz\"" "${@:2}")
    next=$((next + 1))
}

start superlink flower-superlink "${superlink[@]}"
until_true 90 "the SuperLink" answers
step "SuperLink answers on port $port"

for name in a b; do
    key=()
    if [ "$transport" = tls ]; then
        flwr supernode register "$work/keys/$name.pub" smoke --name "clinic-$name" \
            >>"$work/register.log" 2>&1 || fail "the key of clinic-$name was not registered"
        key=(--auth-supernode-private-key "$work/keys/$name")
    fi
    supernode "$name" "${secure[@]}" ${key[@]+"${key[@]}"}
    start "supernode-$name" "${command[@]}"
done
until_true 90 "two SuperNodes" online 2
step "two SuperNodes are connected to $fleet"

# ---------------------------------------------------------------- strangers

refused() { # refused WHAT PID: the process has ended by itself, with an error
    local tries=0 status=0
    while alive "$2" && [ $((tries += 1)) -le 120 ]; do sleep 0.5; done
    if alive "$2"; then stop "$2" && fail "$1 was not turned away"; fi
    wait "$2" || status=$?
    [ "$status" -ne 0 ] || fail "$1 ended with status 0"
    step "refused: $1 (exit status $status)"
}

if [ "$transport" = tls ]; then
    few=(--max-retries 1 --max-wait-time 10)
    strangers=()
    stranger() { # stranger LOG OPTIONS...
        supernode a "${few[@]}" "${@:2}"
        "${command[@]}" >"$work/$1.log" 2>&1 </dev/null &
        strangers+=($!)
        pids+=($!)
    }
    stranger stranger-key "${secure[@]}" --auth-supernode-private-key "$work/keys/stranger"
    stranger stranger-none "${secure[@]}"
    stranger stranger-plain --insecure
    stranger wrong-ca --root-certificates "$work/other/ca.crt" \
        --auth-supernode-private-key "$work/keys/a"
    refused "a SuperNode whose key is not registered" "${strangers[0]}"
    refused "a SuperNode without a key" "${strangers[1]}"
    refused "a SuperNode without TLS" "${strangers[2]}"
    refused "a SuperLink whose certificate another authority signed" "${strangers[3]}"
    pids=("${pids[@]:0:3}")
    online 2 || fail "other SuperNodes are connected than the two that were registered"
fi

# ---------------------------------------------------------------- the run

cat >"$work/run.toml" <<TOML
num-server-rounds = 2
strategy.deadline = 120.0
distiller.steps = 20
distiller.networks = 2
distiller.width = 16
distiller.depth = 2
training.steps = 200
training.learning-rate = 0.01
model.name = "logistic"
data.name = "npz"
data.path = "$work/data/test.npz"
data.test-fraction = 1.0
output.dir = "$work/out"
runtime.server-threads = 1
TOML
start run flwr run "$work/app" smoke --stream --run-config "$work/run.toml"
wait "${pids[${#pids[@]} - 1]}" || fail "flwr run ended with status $?" # wait: a signal is heard
unset "pids[${#pids[@]} - 1]"
step "flwr run has ended"
flwr list smoke --format json >"$work/list.log" 2>&1 || fail "flwr list ended with status $?"
"$python" "$here/smoke_check.py" run "$work/out" "$work/list.log" 2>"$work/check.log" ||
    fail "the run is not what it should be: $(tail -n 1 "$work/check.log")"
cmp -s "$work/pyproject.before" "$work/app/pyproject.toml" || fail "flwr rewrote pyproject.toml"
step "done"
echo "smoke: passed (flwr $version, $transport)"
