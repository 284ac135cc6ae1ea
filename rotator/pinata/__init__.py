"""Pinata over HTTP: the `KeyProvider` of the real world.

    client       keys: making, listing, proving and revoking them
    account      the key list of the whole account, shared: legacy paths have no filters
    requests     one request and its reply, budgets, retries
    failures     what a reply of no use means
    obstacles    what stood in the way before a request could be sent
    paths        which request means what, in each of the three APIs
    bodies       bodies as values
    transport    a client whose requests end on time, through a proxy if need be; the budgets of requests per minute

No other part of the program knows Pinata's URLs and JSON, and nothing here decides about keys or logs.
"""
