#!/bin/sh
# A message to Slack, or to whatever takes {"text": ...}. The URL of the webhook is in a file, because it is a secret.
#   [[hooks]]
#   on = ["failed", "attention"]
#   command = ["/etc/rotator/hooks/slack.sh", "/etc/rotator/slack-url"]
set -eu
python3 -c '
import json, sys
told = json.load(sys.stdin)
mark = "(test) " if told["test"] else ""
about = told.get("error") or told.get("why") or told.get("key_id") or ""
print(json.dumps({"text": f"{mark}{told['"'"'secret'"'"']}: {told['"'"'event'"'"']} {about}".strip()}))
' | curl --fail --silent --show-error --max-time 20 -H 'Content-Type: application/json' --data @- --config "$1"
