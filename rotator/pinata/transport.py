"""The HTTP client for Pinata, whose requests end on time whatever the server does.

A timeout of httpx is one for each packet: a server that sends one byte at a time could hold a
request for hours. Here a request carries the timeout `total` beside httpx's own four, and every
step of it, from connecting to the last byte of the answer, gets no more than what is left.
"""

import math
import ssl
import threading
import time
from collections.abc import Iterable

import httpcore
import httpx

CONNECT_S = 5.0
WRITE_S = 10.0
READ_S = 30.0
"""The longest silence of the server."""
POOL_S = 30.0
_IDLE_S = 5.0


def tls_context() -> ssl.SSLContext:
    """Return what verifies certificates against certifi's list; it is slow to build, and can be shared."""
    return httpx.create_ssl_context(trust_env=False)


def http_client(*, connections_max: int = 10, tls: ssl.SSLContext | None = None) -> httpx.Client:
    """Return a client that verifies certificates, follows no redirect and ignores the environment.

    Args:
        connections_max: connections kept at most; further requests wait for one.

        tls: a `tls_context` that is shared; without one, a new one is built.
    """
    return httpx.Client(
        transport=BoundedTransport(connections_max, tls or tls_context()),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(connect=CONNECT_S, read=READ_S, write=WRITE_S, pool=POOL_S),
    )


def timeouts(total_s: float) -> dict[str, float]:
    """Return the value of the request extension `timeout`, none above `total_s`."""
    steps = {"connect": CONNECT_S, "read": READ_S, "write": WRITE_S, "pool": POOL_S}
    return {step: min(limit_s, total_s) for step, limit_s in steps.items()} | {"total": total_s}


class BoundedTransport(httpx.HTTPTransport):
    """HTTP/1.1 with the timeout `total`."""

    def __init__(self, connections_max: int, tls: ssl.SSLContext) -> None:
        """Keep at most so many connections, and verify certificates."""
        super().__init__(verify=tls, trust_env=False)
        self._ends = _Ends()
        # httpx has no argument for the network backend; its pool is replaced by an equal one.
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls,
            max_connections=connections_max,
            max_keepalive_connections=connections_max,
            keepalive_expiry=_IDLE_S,
            network_backend=_BoundedBackend(self._ends),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Start the clock, then send; the body is read later, in the same thread."""
        total_s = request.extensions.get("timeout", {}).get("total", math.inf)
        self._ends.at = time.monotonic() + total_s
        return super().handle_request(request)


class _Ends(threading.local):
    """When the exchange of this thread must be over, on the monotonic clock."""

    at = math.inf

    def limit_s(self, step_s: float | None, expired: type[Exception]) -> float:
        """Return the time one step may take; raise if there is none left."""
        left_s = self.at - time.monotonic()
        if left_s <= 0:
            raise expired
        return left_s if step_s is None else min(left_s, step_s)


class _BoundedBackend(httpcore.NetworkBackend):
    def __init__(self, ends: _Ends) -> None:
        self._inner = httpcore.SyncBackend()
        self._ends = ends

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit_s = self._ends.limit_s(timeout, httpcore.ConnectTimeout)
        stream = self._inner.connect_tcp(host, port, limit_s, local_address, socket_options)
        return _BoundedStream(stream, self._ends)


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, ends: _Ends) -> None:
        self._inner = inner
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._ends.limit_s(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._ends.limit_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        limit_s = self._ends.limit_s(timeout, httpcore.ConnectTimeout)
        stream = self._inner.start_tls(ssl_context, server_hostname, limit_s)
        return _BoundedStream(stream, self._ends)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)
