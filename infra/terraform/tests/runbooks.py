"""Every alarm of an applied state has a runbook, and every runbook an alarm.

    terraform show -json | python3 runbooks.py docs/operations.md
"""

import json
import re
import sys

resources = json.load(sys.stdin)["values"]["root_module"]["resources"]
descriptions = [
    resource["values"]["alarm_description"] for resource in resources if resource["type"] == "aws_cloudwatch_metric_alarm"
]
# As its mail names it.
alarms = {re.search(r" Runbook: docs/operations\.md, ([a-z-]+)\.$", description)[1] for description in descriptions}
with open(sys.argv[1], encoding="utf-8") as file:
    section = file.read().split("\n## Runbooks\n")[1].split("\n## ")[0]
runbooks = set(re.findall(r"`([a-z-]+)`", " ".join(re.findall(r"^### (.+)$", section, re.MULTILINE))))
for alarm in sorted(alarms - runbooks):
    print(f"the alarm {alarm} has no runbook")
for runbook in sorted(runbooks - alarms):
    print(f"the runbook {runbook} belongs to no alarm")
print(f"{len(descriptions)} alarms, {len(runbooks)} runbooks")
sys.exit(alarms != runbooks or not alarms)
