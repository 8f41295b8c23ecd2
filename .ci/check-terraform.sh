#!/usr/bin/env bash
# infra/terraform: its form, its rules, and what it makes of moto, a stand-in for AWS.
#
# Needs Terraform and its AWS provider: in TF_PLUGIN_DIR, somewhere on this machine, or from Terraform's registry. What cannot run says so
# and why. In CI (CI=true) nothing may be left out where Terraform is on the machine.
set -euo pipefail
cd "$(dirname "$0")/.."

MODULE=$PWD/infra/terraform
TESTS=$MODULE/tests
TOOLS=$PWD/.landfall/ci # ignored by git, and kept by `landfall demo`
WORK=$(mktemp -d)
TABLE=()

finish() {
    local code=$?
    [[ ! -e $WORK/moto/pid ]] || kill "$(cat "$WORK/moto/pid")" 2>/dev/null || true
    rm -rf "$WORK"
    ((${#TABLE[@]} == 0)) || printf '%s\n' "--- terraform" "${TABLE[@]}"
    exit "$code"
}
trap finish EXIT

# check NAME COMMAND...: runs it, shows its output when it fails, and keeps its time.
check() {
    local name=$1 started=$SECONDS code
    shift
    # Not as a condition: bash lets a function in one go on after a failure.
    set +e
    (set -e && "$@") >"$WORK/log" 2>&1
    code=$?
    set -e
    if ((code != 0)); then
        tail -n 80 "$WORK/log" >&2
        TABLE+=("$(printf '%-34s %4d s  FAILED' "$name" $((SECONDS - started)))")
        exit 1
    fi
    TABLE+=("$(printf '%-34s %4d s  ok' "$name" $((SECONDS - started)))")
    printf '%-34s %4d s  %s\n' "$name" $((SECONDS - started)) "$(grep -v '^$' "$WORK/log" | tail -n 1)"
}

skipped() {
    echo "SKIPPED: $1: $2" >&2
    TABLE+=("$(printf '%-34s         SKIPPED: %s' "$1" "$2")")
    [[ ${CI:-} != true ]] || { echo "FAILED: in CI nothing of Terraform may be skipped" >&2; exit 1; }
}

# The folder below which the provider lies as Terraform's registry names it.
plugin_dir() {
    local root found
    for root in "$HOME/.terraform.d" /usr/local/share /usr/share /usr/lib /opt /; do
        found=$(find "$root" -xdev -path '*/.terraform/*' -prune -o \
            -path '*/registry.terraform.io/hashicorp/aws/5.100.0/*/terraform-provider-aws*' -print -quit 2>/dev/null) || true
        [[ -z $found ]] || { echo "${found%/registry.terraform.io/*}"; return; }
    done
}

# venv NAME REQUIREMENTS
venv() {
    cmp -s "$2" "$TOOLS/$1/requirements.txt" && return
    python3 -m venv --clear "$TOOLS/$1" && "$TOOLS/$1/bin/pip" install --quiet --requirement "$2" && cp "$2" "$TOOLS/$1/requirements.txt"
}

tf() { terraform -chdir="${DEPLOYMENT:-$WORK/moto/module}" "$@" -no-color; }
apply() { tf apply -auto-approve -input=false && tf output -json phase; }
clean() { tf plan -detailed-exitcode -input=false; } # exits with 2 when there is something to do
with_state() { tf show -json >"$WORK/state.json" && "$@" <"$WORK/state.json"; }
moto_python() { "$TOOLS/moto/bin/python" "$@"; }

# A deployment of its own, beside the one that gets all options.
defaults() {
    mkdir "$DEPLOYMENT"
    cp -r "$WORK/moto/module/." "$DEPLOYMENT"
    echo '{"name": "plain"}' >"$DEPLOYMENT/name.auto.tfvars.json"
    apply
}

connect() {
    local queue
    queue=$(moto_python "$TESTS/moto/notification.py" queue)
    printf '{"snowflake_iam_user_arn": "arn:aws:iam::999999999999:user/abc1-b-self1234", "snowflake_notification_channel": "%s"}\n' \
        "$queue" >"$WORK/moto/module/snowflake.auto.tfvars.json"
    apply
    [[ $(tf output -raw phase) == 2 ]]
}

delivered() {
    moto_python "$TESTS/moto/notification.py" deliver "$(tf output -raw landing_bucket)" "$(tf output -raw landing_prefix)" \
        "$(moto_python "$TESTS/moto/notification.py" queue)"
}

everything() {
    cp "$TESTS/everything.tfvars.json" "$WORK/moto/module/everything.auto.tfvars.json"
    # The network before the functions, as docs/operations.md says for a deployment that is there.
    tf apply -auto-approve -input=false -target=aws_subnet.private -target=aws_security_group.functions
    apply
}

# What is encrypted with the key would be unreadable at once.
key_stays() {
    tf plan -input=false -var customer_key=false >"$WORK/refused" 2>&1 && { echo "the plan would delete the key"; return 1; }
    grep -F "Instance cannot be destroyed" "$WORK/refused"
}

if ! command -v terraform >/dev/null; then
    echo "SKIPPED: all checks of infra/terraform: there is no terraform on PATH (https://developer.hashicorp.com/terraform/install)" >&2
    exit 0
fi

# Terraform warns of a configuration that is not there, in every output.
[[ -e ${TF_CLI_CONFIG_FILE:-/} ]] || unset TF_CLI_CONFIG_FILE

check "fmt" terraform fmt -check -diff -recursive "$MODULE"

export TF_PLUGIN_DIR=${TF_PLUGIN_DIR:-$(plugin_dir)}
export CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
if [[ -n $TF_PLUGIN_DIR ]]; then
    export TF_CLI_CONFIG_FILE=$WORK/terraformrc
    printf 'provider_installation {\n  filesystem_mirror {\n    path = "%s"\n  }\n}\n' "$TF_PLUGIN_DIR" >"$TF_CLI_CONFIG_FILE"
fi

# A copy, so that neither a deployment's own files are used nor anything is left behind.
mkdir "$WORK/module"
cp -r "$MODULE"/*.tf "$TESTS" "$WORK/module"
cd "$WORK/module"
if ! timeout 120 terraform init -backend=false -input=false -no-color >"$WORK/log" 2>&1; then
    cat "$WORK/log" >&2
    skipped "validate, test, moto, parliament" "the AWS provider is neither on this machine nor to be had from the registry"
else
    check "validate" terraform validate -no-color
    check "test" terraform test -no-color

    if ! venv moto "$TESTS/moto/requirements.txt"; then
        skipped "moto, parliament" "moto cannot be installed"
    else
        VENV=$TOOLS/moto check "moto: start" "$TESTS/moto/start.sh" "$WORK/moto"
        # shellcheck disable=SC1091 # it was made just now
        source "$WORK/moto/env"
        check "moto: init" tf init -input=false
        DEPLOYMENT=$WORK/moto/defaults check "moto: defaults, apply" defaults
        DEPLOYMENT=$WORK/moto/defaults check "moto: defaults, plan clean" clean
        DEPLOYMENT=$WORK/moto/defaults check "parliament: defaults" with_state moto_python "$TESTS/policies.py"
        # From the start: moto does not give a log group another key later.
        echo '{"customer_key": true}' >"$WORK/moto/module/key.auto.tfvars.json"
        check "moto: phase 1, apply" apply
        check "moto: phase 1, second plan clean" clean
        check "parliament: phase 1" with_state moto_python "$TESTS/policies.py"
        check "moto: phase 2, apply" connect
        check "moto: phase 2, second plan clean" clean
        check "moto: S3 tells Snowpipe's queue" delivered
        check "moto: all options, apply" everything
        check "moto: all options, plan clean" clean
        check "moto: the key stays" key_stays
        check "parliament: all options" with_state moto_python "$TESTS/policies.py"
        check "alarms have runbooks" with_state python3 "$TESTS/runbooks.py" "$MODULE/../../docs/operations.md"
    fi
fi

if ! venv checkov "$TESTS/checkov-requirements.txt"; then
    skipped "checkov" "checkov cannot be installed"
else
    cp "$TESTS/everything.tfvars.json" "$WORK/module/everything.auto.tfvars.json"
    rm -rf "$WORK/module/tests" "$WORK/module/.terraform"
    check "checkov" "$TOOLS/checkov/bin/checkov" --directory "$WORK/module" --config-file "$TESTS/checkov.yaml" --skip-download --compact --quiet
fi
