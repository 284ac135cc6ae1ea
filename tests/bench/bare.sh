#!/bin/sh
# The five calls that a rotation cannot do without, as a script: create, put, verify, promote, revoke.
#
#     AWS=... ADMIN_JWT=... SECRET_ID=... OLD_VERSION=... OLD_KEY=... NEW_VERSION=... PINATA_URL=... sh bare.sh
#
# Prints the id of the new key. For measuring alone: it checks nothing.
set -eu

asked() { # TOKEN CURL-ARGUMENT...
    token=$1
    shift
    printf 'header = "Authorization: Bearer %s"\n' "$token" | curl --silent --fail --config - "$@"
}

field() { # NAME: that field of the JSON in $key
    echo "$key" | sed -n "s/.*\"$1\": *\"\([^\"]*\)\".*/\1/p"
}

key=$(asked "$ADMIN_JWT" --header 'Content-Type: application/json' "$PINATA_URL/v3/api_keys" \
    --data "{\"keyName\": \"bare $NEW_VERSION\", \"permissions\": {\"resources\": [\"org:files:write\"]}}")
$AWS secretsmanager put-secret-value --secret-id "$SECRET_ID" --client-request-token "$NEW_VERSION" \
    --version-stages AWSPENDING --secret-string "$key" >/dev/null
asked "$(field JWT)" "$PINATA_URL/data/testAuthentication" >/dev/null
$AWS secretsmanager update-secret-version-stage --secret-id "$SECRET_ID" --version-stage AWSCURRENT \
    --move-to-version-id "$NEW_VERSION" --remove-from-version-id "$OLD_VERSION" >/dev/null
asked "$ADMIN_JWT" --request DELETE "$PINATA_URL/v3/api_keys/$OLD_KEY" >/dev/null
field pinata_api_key
