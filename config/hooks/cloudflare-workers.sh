#!/bin/sh
# The new JWT as a secret of a Cloudflare Worker, which takes it at once. Needs CLOUDFLARE_API_TOKEN.
#   [[hooks]]
#   on = ["promoted"]
#   command = ["/etc/rotator/hooks/cloudflare-workers.sh", "WORKER"]
set -eu
arn=$(python3 -c 'import json, sys; print(json.load(sys.stdin)["arn"])')
aws secretsmanager get-secret-value --secret-id "$arn" --query SecretString --output text |
    python3 -c 'import json, sys; print(json.load(sys.stdin)["JWT"], end="")' |
    wrangler secret put PINATA_JWT --name "$1"
