#!/usr/bin/env bash
# The README's way to work with `cargo lambda watch`, with the checked-in dev.env: an event goes in, and its rows are in both tables.
#
# Needs cargo-lambda on PATH, and ports 9000 and 9010 to 9012 of this machine.
set -euo pipefail
cd "$(dirname "$0")/.."

LOGS=$(mktemp -d)
PIDS=()

finish() {
    local code=$?
    for pid in "${PIDS[@]}"; do kill -INT "$pid" 2>/dev/null || true; done
    for pid in "${PIDS[@]}"; do wait "$pid" 2>/dev/null || true; done
    [[ $code == 0 ]] || tail -n 40 "$LOGS"/*
    rm -rf "$LOGS"
}
trap finish EXIT

# Waits for a text in a log; fails when the process ends first or a minute passes.
wait_for() {
    local text=$1 log=$2 pid=$3
    for _ in $(seq 300); do
        grep -qF "$text" "$log" && return
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.2
    done
    echo "FAILED: no \"$text\" in $log" >&2
    return 1
}

# Invokes the orchestrator through cargo lambda, and looks at its answer.
invoke() {
    local answer
    answer=$(cargo lambda invoke orchestrator -A 127.0.0.1 --data-file "$1")
    echo "$1: $answer"
    [[ $answer == '{"batchItemFailures":[]}' ]]
}

cargo build
set -m # with job control a background process does not ignore Ctrl-C
target/debug/landfall dev --clean >"$LOGS/dev" 2>&1 &
PIDS+=($!)
wait_for "In another terminal" "$LOGS/dev" "${PIDS[0]}"
cargo lambda watch -A 127.0.0.1 --ignore-changes --env-file dev.env >"$LOGS/watch" 2>&1 &
PIDS+=($!)
wait_for "starting Runtime server" "$LOGS/watch" "${PIDS[1]}"

invoke events/kinesis-batch.json
target/debug/landfall replay --endpoint http://127.0.0.1:9000 events/kinesis-batch.json events/mixed-sensors.json |
    tee "$LOGS/replay"
grep -qF "100 rows in KINESIS_SENSORS_STREAMING, 100 rows in KINESIS_SENSORS_MICROBATCH" "$LOGS/replay"

# The first event was sent twice and is there once.
query="select (select count(*) from kinesis_sensors_streaming) as s, (select count(*) from kinesis_sensors_microbatch) as m"
rows=$(target/debug/landfall sql --csv "$query" | tail -n 1)
echo "rows in both tables: $rows"
[[ $rows == 119,119 ]]
