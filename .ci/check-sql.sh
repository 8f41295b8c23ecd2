#!/usr/bin/env bash
# infra/snowflake/*.sql parses as Snowflake's dialect: sqlfluff, in a venv of its own.
set -euo pipefail
cd "$(dirname "$0")/.."

SQLFLUFF_VERSION=4.5.0
VENV=$PWD/target/sqlfluff

if [[ $("$VENV/bin/sqlfluff" --version 2>/dev/null) != "sqlfluff, version $SQLFLUFF_VERSION" ]]; then
    python3 -m venv --clear "$VENV"
    "$VENV/bin/pip" install --quiet "sqlfluff==$SQLFLUFF_VERSION" || {
        echo "FAILED to install sqlfluff: is there a network, and can it reach PyPI (or the mirror in pip's configuration)?" >&2
        exit 1
    }
fi
# The one option that sqlfluff does not know, on its own line, is left out.
CHECKED=$PWD/target/sqlfluff-checked
rm -rf "$CHECKED" && mkdir -p "$CHECKED"
for file in infra/snowflake/*.sql; do
    sed '/^STORAGE_AWS_EXTERNAL_ID = /d' "$file" >"$CHECKED/$(basename "$file")"
done

parses() { "$VENV/bin/sqlfluff" parse --dialect snowflake "$@"; }

parses "$CHECKED" >"$CHECKED/tree.txt" 2>&1 || {
    grep -A 3 -E "^L:|rror" "$CHECKED/tree.txt" >&2
    exit 1
}
echo "$(ls infra/snowflake/*.sql | wc -l) files parse"
# And it would say so if one did not.
if echo 'CREATE PIPE "P" AUTO_INGEST = TRUE AS COPY INTO;' | parses - >/dev/null 2>&1; then
    echo "FAILED: sqlfluff takes what is no SQL" >&2
    exit 1
fi
