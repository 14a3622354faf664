#!/usr/bin/env bash
# Private runs over a real deployment on this machine: three SuperNodes, each with its own budget.
set -euo pipefail

usage() {
    cat <<'USAGE'
Usage: deploy/privacy.sh [--keep]

Starts a SuperLink and three SuperNodes on 127.0.0.1, each with records and a privacy budget of its
own, and submits runs with privacy.mode=dp-moments, in plain text.

  1. At epsilon 1. The server's process is killed once it has the releases, and the run resumed:
     every client sends the same bytes again, and is charged once.
  2. At epsilon 1 again. The records of client a, whose epsilon is 1 for good, are moved away: it
     refuses because of its budget, without looking for them; the others, whose epsilon is 10,
     answer, and the round goes on.
  3. Without privacy.mode: every client refuses, and is charged nothing.
  4. At epsilon 1 behind a secure sum, among clients that know each other's keys and share the
     noise: client a refuses once more, after its shares; b and c vouch for one list of who stayed,
     and the server learns the sum of both.

  --keep  keep the work folder of a run that passed too

$PYTHON (default: python3) must have the dependencies of fdd-flower. Exit status 0: every check
held; 1: one did not, and the ends of the logs are shown; 2: wrong usage.
USAGE
}

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
python=${PYTHON:-python3}
keep=

for argument in "$@"; do
    case "$argument" in
        --keep) keep=1 ;;
        -h | --help) usage && exit 0 ;;
        *) echo "privacy: unknown argument '$argument'; see --help." >&2 && exit 2 ;;
    esac
done
python=$("$python" -c 'import flwr, sys; print(sys.executable)' 2>/dev/null) || {
    echo "privacy: $python has no flwr; install fdd-flower, or set PYTHON." >&2
    exit 2
}

me=privacy
# shellcheck source=deploy/local_federation.sh
. "$here/local_federation.sh"

check() { # check ARGUMENTS...: what the check says, or the end
    local said
    said=$("$python" "$here/privacy_check.py" "$@" 2>"$work/check.log") ||
        fail "$(tail -n 1 "$work/check.log")"
    printf '%s:        %s\n' "$me" "$said"
}

# ---------------------------------------------------------------- processes

isolate
"$python" "$here/privacy_check.py" data "$work/data" || fail "no data"
for client in a b c; do "$here/node-key.sh" "$work/keys/$client" >/dev/null; done
cat "$work"/keys/*.pub >"$work/known"
read -r -a ports < <(free_ports 5)
port=${ports[0]} fleet=127.0.0.1:${ports[0]}
superlink=(--host 127.0.0.1 --port "$port" --disable-runtime-dependency-installation --insecure)
version=$("$python" -c 'import flwr; print(flwr.__version__)')
case "$version" in
    1.39.*) # the Fleet API has a port of its own
        fleet=127.0.0.1:${ports[1]}
        superlink+=(--fleet-api-address "$fleet")
        ;;
esac
printf '[superlink]\ndefault = "%s"\n[superlink.%s]\naddress = "127.0.0.1:%s"\ninsecure = true\n' \
    "$me" "$me" "$port" >"$work/flwr/config.toml"
cd "$work/cwd" # empty: nothing is imported from it

start superlink flower-superlink "${superlink[@]}"
server=${pids[0]}
until_true 90 "the SuperLink" answers
next=2
for client in a=1.0 b=10.0 c=10.0; do
    name=${client%=*}
    start "supernode-$name" flower-supernode --insecure --superlink "$fleet" --host 127.0.0.1 \
        --port "${ports[next]}" --node-config "client-name=\"$name\" \
        data-path=\"$work/data/$name.npz\" privacy.max-epsilon=${client#*=} privacy.delta=1e-5 \
        privacy.folder=\"$work/budgets/$name\" secure-sum-identity=\"$work/keys/$name\" \
        secure-sum-known-clients=\"$work/known\""
    next=$((next + 1))
done
until_true 90 "three SuperNodes" online 3
step "flwr $version: three SuperNodes, with epsilons of 1, 10 and 10 for good"

# ---------------------------------------------------------------- runs

settings() { # settings OUT LINES...: a file of settings
    cat >"$work/$1.toml" <<TOML
num-server-rounds = 1
strategy.min-nodes = 3
strategy.quorum = 2
strategy.deadline = 120.0
training.steps = ${training:-200}
training.learning-rate = 0.01
model.name = "logistic"
data.name = "npz"
data.path = "$work/data/test.npz"
data.test-fraction = 1.0
output.dir = "$work/$1"
runtime.server-threads = 1
TOML
    printf '%s\n' "${@:2}" >>"$work/$1.toml"
}

submit() { # submit LOG RUN-CONFIG: wait until the run has ended, however
    flwr run "$work/app" "$me" --stream --run-config "$2" >"$work/$1.log" 2>&1 </dev/null &
    local run=$!
    pids+=("$run")
    wait "$run" || true # a signal is heard; what became of the run is for the checks to say
    unset "pids[${#pids[@]} - 1]"
}

has_releases() {
    "$python" "$here/privacy_check.py" sent "$work/first" 3 >"$work/$1.json" 2>/dev/null
}

server_app() { # the process of the run under way
    local pid
    for pid in $(family "$server"); do
        case "$(ps -o args= -p "$pid" 2>/dev/null || true)" in
            *flwr-serverapp*) echo "$pid" && return 0 ;;
        esac
    done
    return 1
}

training=4000 settings first 'privacy.mode = "dp-moments"' 'privacy.epsilon = 1.0'
flwr run "$work/app" "$me" --run-config "$work/first.toml" >"$work/first.log" 2>&1 ||
    fail "flwr run ended with status $?"
until_true 120 "three releases" has_releases before
app=$(server_app) || fail "the server's process had ended before it could be killed"
kill -KILL "$app"
while alive "$app"; do sleep 0.2; done
[ ! -e "$work/first/summary.json" ] || fail "the run had ended before it could be killed"
step "run 1, epsilon 1: three releases; the server's process is killed"
submit resumed "resume=\"$work/first\""
check run "$work/first" 3 -
has_releases after || fail "no releases after the resume"
cmp -s "$work/before.json" "$work/after.json" || fail "other bytes were sent after the resume"
check budgets "$work/budgets" a=1 b=1 c=1
step "run 1, resumed: each client has sent the same bytes again, and was charged once"

mv "$work/data/a.npz" "$work/moved.npz"
settings second 'privacy.mode = "dp-moments"' 'privacy.epsilon = 1.0'
submit second "$work/second.toml"
check run "$work/second" 2 a
grep -h "client a refuses: privacy.max-epsilon" "$work/supernode-a.log" | tail -n 1 |
    sed "s/.*client a refuses/$me:        client a refuses/"
grep -q "client a refuses: privacy.max-epsilon" "$work/supernode-a.log" ||
    fail "client a refused for another reason"
check budgets "$work/budgets" a=1 b=2 c=2
step "run 2, epsilon 1: client a has refused before it looked for its records; the round went on"
mv "$work/moved.npz" "$work/data/a.npz"

settings third 'distiller.steps = 5'
submit third "$work/third.toml"
for name in a b c; do
    grep -q "client $name refuses: privacy.mode: expected a private mode" \
        "$work/supernode-$name.log" || fail "client $name did not refuse a run without privacy"
done
grep -q '"status": "failed' "$work/third/summary.json" 2>/dev/null || [ ! -e "$work/third/summary.json" ] ||
    fail "a run without privacy completed"
check budgets "$work/budgets" a=1 b=2 c=2
step "run 3, without privacy.mode: all three clients have refused"

settings fourth 'privacy.mode = "dp-moments"' 'privacy.epsilon = 1.0' 'sketch.secure-sum = true'
submit fourth "$work/fourth.toml"
check sum "$work/fourth" 2 a
grep -q "asking 2 clients for confirm of the secure sum" "$work/fourth.log" ||
    fail "b and c were not asked to vouch for the list of who stayed"
check budgets "$work/budgets" a=1 b=3 c=3
step "run 4, epsilon 1 behind a secure sum: the server has the sum of b and c, whose noise they share"
echo "privacy: passed (flwr $version)"
