"""Every IAM policy of an applied state: right actions and resources, no wildcard without need, TLS everywhere.

    terraform show -json | python3 policies.py
"""

import json
import sys

import parliament

# The actions for which AWS knows no narrower resource than `*`.
NO_RESOURCE = {
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
}

# Their `policy` is what AWS begins with; ours is a resource of its own, or there is none.
NOT_OURS = {"aws_sns_topic", "aws_s3_bucket", "aws_vpc_endpoint"}

# What refuses requests without TLS, and so has to be there.
TLS_ONLY = {"aws_s3_bucket_policy", "aws_sns_topic_policy"}


def resources(module):
    yield from module.get("resources", [])
    for child in module.get("child_modules", []):
        yield from resources(child)


def listed(value):
    return value if isinstance(value, list) else [value]


def wildcards(kind, statement):
    """A `*` where something narrower would do."""
    if statement["Effect"] == "Deny" or kind == "aws_kms_key":
        return
    for action in listed(statement["Action"]):
        if "*" in action:
            yield f"the action {action}"
    if "*" in listed(statement.get("Resource", [])) and not set(listed(statement["Action"])) <= NO_RESOURCE:
        yield f"every resource for {statement['Action']}"


def findings(kind, policy):
    statements = listed(policy["Statement"])
    for statement in statements:
        yield from wildcards(kind, statement)
    # Parliament knows policies of identities. In those of resources and in trust, it is told the half that they leave out.
    for statement in statements:
        principal = statement.pop("Principal", None)
        if principal is not None:
            statement.setdefault("Resource", "*")
        one = {"Version": policy["Version"], "Statement": [statement]}
        for finding in parliament.analyze_policy_string(json.dumps(one)).findings:
            half = principal is not None or statement["Effect"] == "Deny"
            is_half = half and finding.issue in {"RESOURCE_MISMATCH", "RESOURCE_STAR"}
            # A condition that Lambda puts into every request of a function, whatever service it is to.
            if not is_half and "lambda:SourceFunctionArn" not in str(finding.detail):
                yield f"{finding.issue}: {finding.detail or finding.title}"


def tls_only(policy):
    return any(
        statement["Effect"] == "Deny" and statement.get("Condition") == {"Bool": {"aws:SecureTransport": "false"}}
        for statement in listed(policy["Statement"])
    )


def main():
    state = json.load(sys.stdin)
    n_policies, faults, types = 0, [], set()
    for resource in resources(state["values"]["root_module"]):
        for attribute in ("policy", "assume_role_policy"):
            text = resource["values"].get(attribute)
            if not text or resource["mode"] != "managed" or resource["type"] in NOT_OURS:
                continue
            n_policies += 1
            types.add(resource["type"])
            policy = json.loads(text)
            where = f"{resource['address']}.{attribute}"
            if resource["type"] in TLS_ONLY and not tls_only(policy):
                faults.append(f"{where}: lets requests without TLS through")
            faults += [f"{where}: {finding}" for finding in findings(resource["type"], policy)]
    faults += [f"there is no {kind}: requests without TLS get through" for kind in sorted(TLS_ONLY - types)]
    print("\n".join([*faults, f"{n_policies} policies, {len(faults)} faults"]))
    sys.exit(bool(faults) or n_policies == 0)


main()
