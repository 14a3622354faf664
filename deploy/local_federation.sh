# What deploy/smoke.sh and deploy/privacy.sh share: a work folder, processes that are ended by their
# ids, and a copy of the app. To be sourced; needs $me (the script's name), $python and $keep (not
# empty: keep the folder); `what_failed` may be defined anew.
# shellcheck shell=bash disable=SC2154

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# Flower puts sockets and its home below this folder: keep the path short and private.
work=$(mktemp -d "${TMPDIR:-/tmp}/fdd-$me.XXXXXX")
started=$SECONDS
pids=()

step() {
    printf '%s: %3d s  %s\n' "$me" $((SECONDS - started)) "$*"
}

fail() {
    printf '%s: FAILED: %s\n' "$me" "$*" >&2
    exit 1
}

family() { # the process $1 and all that it has started, by id
    local child
    echo "$1"
    for child in $(pgrep -P "$1" || true); do family "$child"; done
}

alive() { # a zombie has ended, whoever reaps it
    case "$(ps -o stat= -p "$1" 2>/dev/null || true)" in "" | Z*) return 1 ;; esac
}

stop() { # ask the processes $@ to end, then end what is left of their families
    local pid members=() tries=0
    for pid in "$@"; do
        # shellcheck disable=SC2207  # ids hold no spaces
        members+=($(family "$pid"))
    done
    for pid in "$@"; do kill -TERM "$pid" 2>/dev/null || true; done
    while [ $((tries += 1)) -le 50 ]; do
        local left=()
        for pid in "${members[@]}"; do if alive "$pid"; then left+=("$pid"); fi; done
        [ ${#left[@]} -gt 0 ] || return 0
        # Flower's helpers have a process group of their own and may outlive their parent.
        if [ "$tries" -eq 25 ]; then kill -TERM "${left[@]}" 2>/dev/null || true; fi
        if [ "$tries" -eq 45 ]; then kill -KILL "${left[@]}" 2>/dev/null || true; fi
        sleep 0.2
    done
}

what_failed() { # in brackets, behind "FAILED"
    "$python" -c 'import flwr; print("flwr", flwr.__version__)'
}

finish() {
    local status=$? log
    trap - EXIT
    if [ ${#pids[@]} -gt 0 ]; then stop "${pids[@]}"; fi
    if [ "$status" -ne 0 ]; then
        for log in "$work"/*.log; do
            [ -s "$log" ] || continue
            printf -- '---- the end of %s\n' "$log"
            tail -n 25 "$log"
        done >&2
        echo "$me: FAILED ($(what_failed)); kept $work" >&2
    elif [ -n "$keep" ]; then
        echo "$me: kept $work"
    else
        rm -rf "$work"
    fi
    exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM

isolate() { # no other installation's settings; the app comes out of the bundle
    local name
    for name in "${!FLWR_@}"; do unset "$name"; done
    export FLWR_HOME=$work/flwr FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION=1
    export FLWR_TELEMETRY_ENABLED=0 FLWR_DISABLE_UPDATE_CHECK=1
    PATH=$(dirname "$python"):$PATH
    export PATH PYTHONUNBUFFERED=1 PYTHONIOENCODING=utf-8
    export NO_PROXY=127.0.0.1,localhost no_proxy=127.0.0.1,localhost
    unset PYTHONPATH
    mkdir "$work/app" "$work/data" "$work/flwr" "$work/cwd"
    # A copy: `flwr run` bundles a folder, and may rewrite its pyproject.toml.
    cp -R "$root/fdd_flower" "$root/client_app.py" "$root/server_app.py" "$root/pyproject.toml" \
        "$root/LICENSE" "$work/app/"
}

free_ports() { # free_ports N: so many, all open at once, so they differ
    "$python" - "$1" <<'PYTHON'
import socket
import sys

probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(int(sys.argv[1]))]
print(*(probe.getsockname()[1] for probe in probes))
PYTHON
}

start() { # start LOG COMMAND...: in the background, its id kept
    local log=$1
    shift
    "$@" >"$work/$log.log" 2>&1 </dev/null &
    pids+=($!)
}

until_true() { # until_true SECONDS WHAT COMMAND...
    local until=$((SECONDS + $1)) what=$2 pid
    shift 2
    while ! "$@"; do
        for pid in "${pids[@]}"; do alive "$pid" || fail "a process ended while waiting for $what"; done
        [ "$SECONDS" -lt "$until" ] || fail "timed out waiting for $what"
        sleep 0.5
    done
}

answers() { # the SuperLink named $me does
    flwr list "$me" --format json >"$work/list.log" 2>&1
}

online() { # online N: exactly N SuperNodes are
    flwr supernode list "$me" --format json >"$work/nodes.log" 2>&1 &&
        "$python" "$root/deploy/smoke_check.py" nodes "$work/nodes.log" "$1" >/dev/null 2>&1
}
