#!/bin/sh
# The new JWT as a variable of a Vercel project, and a deployment that reads it. Needs VERCEL_TOKEN, and the project's
# folder, linked by `vercel link`.
#   [[hooks]]
#   on = ["promoted"]
#   command = ["/etc/rotator/hooks/vercel.sh", "/srv/site", "https://site.example.com"]
set -eu
arn=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["arn"])')
aws secretsmanager get-secret-value --secret-id "$arn" --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["JWT"], end="")' |
    vercel --cwd "$1" env add PINATA_JWT production --force
vercel --cwd "$1" redeploy "$2"
