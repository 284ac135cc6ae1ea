#!/bin/sh
# A consumer as a script: reads the secret with the aws command, calls Pinata with curl, over and over.
#
#     AWS="path/to/aws" SECRET_ID=... URL=... sh cli.sh
#
# Prints the same lines as caching.py. Nothing is cached: a value is used once.

field() { # NAME: that field of the JSON on standard input
    sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

echo "default 0"
while :; do
    value=$($AWS secretsmanager get-secret-value --secret-id "$SECRET_ID" --query SecretString --output text) || exit 1
    jwt=$(echo "$value" | field JWT)
    # The token comes in by standard input: arguments are seen by every user of a machine.
    status=$(printf 'header = "Authorization: Bearer %s"\n' "$jwt" |
        curl --silent --output /dev/null --write-out '%{http_code}' --config - "$URL")
    echo "$(echo "$value" | field pinata_api_key) $status"
done
