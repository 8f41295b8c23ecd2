"""Checks the summary that `landfall demo --records 2000 --poison 0.01 --json` has printed: its file is the argument."""

import json
import sys

N_RECORDS = 2000
MAX_MEMORY_MB = 64
FUNCTIONS = {"landfall-orchestrator", "landfall-upsert"}

with open(sys.argv[1], encoding="utf-8") as file:
    summary = json.load(file)

n_dead = summary["dead_letters"]
checks = {
    "reconciles is true": summary["reconciles"] is True,
    f"records_in is {N_RECORDS}": summary["records_in"] == N_RECORDS,
    "there are dead letters": n_dead > 0,
    "there are objects": summary["objects_landed"] > 0,
    "rows_streaming and dead_letters make all": summary["rows_streaming"] + n_dead == N_RECORDS,
    "rows_microbatch and dead_letters make all": summary["rows_microbatch"] + n_dead == N_RECORDS,
    "both functions ran": {function["name"] for function in summary["functions"]} == FUNCTIONS,
}
for function in summary["functions"]:
    peak = function["peak_memory_mb"]
    # Where there is no /proc it is not measured; CI has one.
    fits = peak < MAX_MEMORY_MB if peak is not None else sys.platform != "linux"
    checks[f"{function['name']} peaks below {MAX_MEMORY_MB} MB ({peak})"] = fits

for what, holds in checks.items():
    print(f"{'ok    ' if holds else 'FAILED'} {what}")
if not all(checks.values()):
    print(json.dumps(summary, indent=2))
    sys.exit(1)
