"""Pinata over HTTP: the `KeyProvider` of the real world.

    client       keys: making, listing, proving and revoking them
    calls        budgets, retries, failures
    paths        which request means what, in each of the three APIs
    bodies       bodies as values
    exchange     one request and its reply, never an exception
    limiter      keeping to the budgets of requests per minute
    transport    a client whose requests end on time

No other part of the program knows Pinata's URLs and JSON, and nothing here decides about keys or logs.
"""

from rotator.pinata.client import PinataClient
from rotator.pinata.limiter import RateLimiter
from rotator.pinata.transport import http_client, timeouts, tls_context

__all__ = ["PinataClient", "RateLimiter", "http_client", "timeouts", "tls_context"]
