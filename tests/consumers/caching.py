"""A consumer with AWS's caching client for Python: reads the secret through the cache, calls Pinata, over and over.

    SECRET_ID=... URL=... CACHE_S=... python caching.py

Prints how long the client caches by default, then a line for each call: the key it used, the status it got.
"""

import http.client
import json
import os
import time
from urllib.parse import urlsplit

from aws_secretsmanager_caching import SecretCache, SecretCacheConfig
from botocore.session import get_session

PAUSE_S = 0.05

print(f"default {SecretCacheConfig().secret_refresh_interval}", flush=True)
cache = SecretCache(
    config=SecretCacheConfig(secret_refresh_interval=float(os.environ["CACHE_S"])),
    client=get_session().create_client("secretsmanager"),
)
url = urlsplit(os.environ["URL"])
pinata = http.client.HTTPConnection(url.netloc, timeout=10)
while True:
    value = json.loads(cache.get_secret_string(os.environ["SECRET_ID"]))
    pinata.request("GET", url.path, headers={"Authorization": f"Bearer {value['JWT']}"})
    answer = pinata.getresponse()
    answer.read()
    print(value["pinata_api_key"], answer.status, flush=True)
    time.sleep(PAUSE_S)
