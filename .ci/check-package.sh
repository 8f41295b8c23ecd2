#!/usr/bin/env bash
# The functions' zips, built as README.md says, and what has to be in them.
#
# Needs cargo-lambda on PATH and the Rust target aarch64-unknown-linux-gnu.
set -euo pipefail
cd "$(dirname "$0")/.."

FUNCTIONS=()
BUILD=(cargo lambda build --release --arm64 --output-format zip)
for main in crates/*/src/main.rs; do
    function=$(cut -d/ -f2 <<<"$main")
    [[ $function == cli ]] && continue # a program for a laptop
    FUNCTIONS+=("$function")
    BUILD+=(--bin "$function")
done
for page in README.md docs/operations.md; do
    grep -qxF "${BUILD[*]}" "$page" || { echo "FAILED: $page does not say: ${BUILD[*]}" >&2; exit 1; }
done

rm -rf target/lambda
"${BUILD[@]}"

for function in "${FUNCTIONS[@]}"; do
    python3 - "target/lambda/$function/bootstrap.zip" <<'PYTHON'
import os, re, struct, sys, zipfile

# What a function's code may have when it is uploaded as it is, and the glibc of provided.al2023.
MAX_BYTES, MAX_GLIBC = 50 * 1024 * 1024, (2, 34)
path = sys.argv[1]
with zipfile.ZipFile(path) as package:
    modes = {entry.filename: entry.external_attr >> 16 for entry in package.infolist()}
    bootstrap, pipeline = package.read("bootstrap"), package.read("pipeline.toml")

glibc = max(tuple(map(int, version.split(b"."))) for version in re.findall(rb"GLIBC_(2\.\d+)", bootstrap))
faults = [
    what
    for what, is_so in {
        f"holds {sorted(modes)}": sorted(modes) != ["bootstrap", "pipeline.toml"],
        f"has a bootstrap of mode {modes['bootstrap']:o}": modes["bootstrap"] & 0o555 != 0o555,
        f"has a pipeline.toml of mode {modes['pipeline.toml']:o}": modes["pipeline.toml"] & 0o444 != 0o444,
        "has another pipeline.toml than the repository": pipeline != open("pipeline.toml", "rb").read(),
        "has a bootstrap that is no program for arm64": bootstrap[:4] != b"\x7fELF" or struct.unpack_from("<H", bootstrap, 18) != (183,),
        f"needs glibc {glibc}": glibc > MAX_GLIBC,
        "is too large to be uploaded": os.path.getsize(path) > MAX_BYTES,
    }.items()
    if is_so
]
print(f"{path}: {os.path.getsize(path) / 1e6:.1f} MB, bootstrap {len(bootstrap) / 1e6:.1f} MB, glibc {'.'.join(map(str, glibc))}")
sys.exit("\n".join(f"FAILED: {path} {fault}" for fault in faults) or None)
PYTHON
done
