#!/usr/bin/env bash
# Starts moto, a stand-in for AWS on this machine, and prepares a copy of the module that deploys to it:
#
#   infra/terraform/tests/moto/start.sh target/moto
#   source target/moto/env          # from here on, terraform, aws and landfall talk to moto
#   terraform -chdir=target/moto/module init
#   ...
#   kill $(cat target/moto/pid)
#
# Needs Terraform 1.9 or later, Python 3.11 or later, and a network for moto (once for each VENV). TF_PLUGIN_DIR names a folder
# with the AWS provider where Terraform's registry cannot be reached.
set -euo pipefail

DIR=${1:?usage: start.sh DIR}
HERE=$(cd "$(dirname "$0")" && pwd)
MODULE=$(cd "$HERE/../.." && pwd)
ROOT=$(cd "$MODULE/../.." && pwd)
VENV=${VENV:-$ROOT/.landfall/ci/moto}

if ! cmp -s "$HERE/requirements.txt" "$VENV/requirements.txt"; then
    echo "installing moto into $VENV" >&2
    python3 -m venv --clear "$VENV"
    "$VENV/bin/pip" install --quiet --requirement "$HERE/requirements.txt"
    cp "$HERE/requirements.txt" "$VENV/requirements.txt"
fi

[[ ! -e $DIR/pid ]] || kill "$(cat "$DIR/pid")" 2>/dev/null || true
rm -rf "$DIR"
mkdir -p "$DIR/module"
DIR=$(cd "$DIR" && pwd)
cp "$MODULE"/*.tf "$HERE"/*.tf "$DIR/module"

# Any bytes will do where nothing runs them, but they have to be a zip.
for function in orchestrator upsert transform; do
    mkdir -p "$DIR/zips/$function"
    (cd "$DIR" && echo "$function" >bootstrap && python3 -m zipfile -c "zips/$function/bootstrap.zip" bootstrap && rm bootstrap)
done

port=$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
MOTO_IAM_LOAD_MANAGED_POLICIES=true "$VENV/bin/moto_server" -H 127.0.0.1 -p "$port" >"$DIR/moto.log" 2>&1 &
echo $! >"$DIR/pid"
for _ in $(seq 150); do
    ! python3 -c "import urllib.request as r; r.urlopen('http://127.0.0.1:$port/moto-api/', timeout=2)" 2>/dev/null || break
    kill -0 "$(cat "$DIR/pid")" 2>/dev/null || { cat "$DIR/moto.log" >&2; exit 1; }
    sleep 0.2
done

cat >"$DIR/env" <<END
export AWS_ENDPOINT_URL=http://127.0.0.1:$port AWS_REGION=us-east-1 AWS_DEFAULT_REGION=us-east-1
export AWS_ACCESS_KEY_ID=testing AWS_SECRET_ACCESS_KEY=testing
unset AWS_PROFILE AWS_SESSION_TOKEN
export TF_VAR_moto=http://127.0.0.1:$port
END
if [[ -n ${TF_PLUGIN_DIR:-} ]]; then
    printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$TF_PLUGIN_DIR" >"$DIR/terraformrc"
    echo "export TF_CLI_CONFIG_FILE=$DIR/terraformrc" >>"$DIR/env"
fi
# What a deployment has to say, as infra/terraform/terraform.tfvars of a real one does.
cat >"$DIR/module/terraform.tfvars" <<END
region            = "us-east-1"
snowflake_account = "acme-prod"
pipeline_file     = "$ROOT/pipeline.toml"
zips              = "$DIR/zips"
END
echo "moto listens on 127.0.0.1:$port (pid $(cat "$DIR/pid")); now: source $DIR/env"
