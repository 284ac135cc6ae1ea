#!/bin/sh
# The new JWT as a secret of GitHub Actions. Needs `gh` with the right to write the repository's secrets.
#   [[hooks]]
#   on = ["promoted"]
#   command = ["/etc/rotator/hooks/github-actions.sh", "OWNER/REPOSITORY"]
set -eu
arn=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["arn"])')
aws secretsmanager get-secret-value --secret-id "$arn" --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["JWT"], end="")' |
    gh secret set PINATA_JWT --repo "$1"
