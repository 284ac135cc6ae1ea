"""The text of a first configuration: what is necessary is set, all else is shown and explained."""

STARTER = """\
# Configuration of rotator. `rotator config check` checks it, `rotator plan` shows what it would do.
# A key behind "# " shows its default, or an example where it has none.
# Durations are written "30d", "24h", "1h30m", "45s".
# No secret ever stands in this file, and nobody but its owner may write it.

[pinata]
admin_secret = "pinata/admin"            # holds the managing key; or: admin_jwt_env = "VARIABLE"
# api_url = "https://api.pinata.cloud"   # https; plain http on a loopback address only
# api = "v3"                             # "v3" and "v3-pinata" (two spellings of v3), or "legacy"
# owner = "rotator"                      # begins every key's name; one for each installation
# requests_per_minute = 60               # what your Pinata plan allows the whole account
# data_requests_per_minute = 30          # the same for /data, where keys are verified

[aws]
# region = "eu-central-1"                # example; without it AWS's own settings decide
# endpoint_url = "http://127.0.0.1:4566" # example; another Secrets Manager: loopback, or https
# role_arn = "arn:aws:iam::111122223333:role/rotator"   # example; a role to assume first
# expected_account = "111122223333"      # example; refuse to run in any other account

[audit]
directory = "/var/lib/rotator/audit"     # lasting; a relative one begins at this file's folder
# s3 = "s3://my-audit-trail/rotator"     # example; a bucket as well, or instead: docs/audit.md

[daemon]                                 # read by `rotator daemon` alone
# listen = "127.0.0.1:9118"              # where probes, metrics and the page are served
# every = "5m"                           # how often the fleet is looked over, at most 30m
# hosts = ["rotator.example.com"]        # example; names the page may be asked for under
# ping_url = "https://hc.example.com/id" # example; told of each success, so silence is noticed

[defaults]                               # any key of [[secrets]] but name and secret_id
# max_age = "30d"                        # when a key is replaced
# grace = "24h"                          # the old key lives on: longer than any consumer's cache
# pending_timeout = "1h"                 # when to give up an unfinished rotation; above timeout
# live_keys_max = 3                      # the most live keys for one secret; 2 or more
# verify_timeout = "30s"                 # how long a new key may take to work
# timeout = "2m"                         # how long one run over one secret may take
# check_every = "1h"                     # how often one that is not due is looked up at Pinata
# settle = "5m"                          # how old an interrupted attempt is when taken up again

[[secrets]]                              # one such entry for each secret
name = "uploader"                        # what the command line calls it
secret_id = "prod/pinata/uploader"       # its name or ARN in Secrets Manager
permissions = { resources = ["org:files:write"] }   # or { endpoints = { data = ["pinList"] } }
# fields = { jwt = "JWT", key = "pinata_api_key", secret = "pinata_api_secret" }   # of its JSON
# format = "jwt"                         # instead of fields: the value is the bare token
# max_uses = 1000000                     # example; how often a key can be used
# probe = "/v3/files/public?limit=1"     # example; a GET that a new key must be allowed
# negative_probe = "/v3/pinata/keys"     # example; a GET that a new key must be refused
# blackout = ["2026-12-24..2027-01-02"]  # example; days without new keys, both included
# window = { days = ["Mon"], from = "02:00", to = "05:00", zone = "Europe/Berlin" }   # for new keys
"""
