"""The HTTP client for Pinata: requests that end on time, and a limiter that keeps to the account's budgets.

A timeout of httpx is one for each packet: a server that sends one byte at a time could hold a request for hours. Here
a request carries the timeout `total` beside httpx's own four, and every step of it, from connecting to the last byte
of the answer, gets no more than what is left. An answer is waited for in slices, so that a deadline that comes nearer
ends a request under way.

Pinata's limits page gives two budgets: requests per minute by plan, and a smaller one for `/data/*`. It does not say
whether the first includes the second. They are kept apart here, as the page lists them, and a 429 is waited out where
that is wrong. The budgets are those of one process: what others use up shows as a 429, too.
"""

import math
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import TypedDict

import httpcore
import httpx

from rotator.model.errors import DeadlineExceededError
from rotator.model.ports import Deadline
from rotator.pinata.obstacles import NoConnectionError, Obstacle, Passing, connect_obstacle, tls_obstacle

CONNECT_S = 5.0
WRITE_S = 10.0
READ_S = 30.0
"""The longest silence of the server."""
POOL_S = 30.0
_IDLE_S = 5.0
_SLICE_S = 0.5
"""How long one look for an answer lasts."""
WINDOW_S = 61.0
"""A minute, and a second for requests that take longer on the way than those after them."""
LOOK_S = 5.0
"""Between two looks whether the time is up: a deadline may have come nearer."""
_DATA = "/data/"


def tls_context(authorities: str | None = None) -> ssl.SSLContext:
    """Return what verifies certificates: against authorities in PEM, by default against certifi's list.

    It is slow to build, and can be shared. Raises ValueError if `authorities` holds no certificate.
    """
    if authorities is None:
        return httpx.create_ssl_context(trust_env=False)
    try:
        return ssl.create_default_context(cadata=authorities)
    except ssl.SSLError:
        pass
    raise ValueError("no certificate in PEM")


def http_client(
    *, connections_max: int = 10, tls: ssl.SSLContext | None = None, proxy: str | None = None
) -> httpx.Client:
    """Return a client that verifies certificates, follows no redirect and ignores the environment.

    `tls` is a `tls_context` that is shared; without one, a new one is built. `proxy` is the URL of the only way out.
    """
    return httpx.Client(
        transport=BoundedTransport(connections_max, tls or tls_context(), proxy),
        follow_redirects=False,
        trust_env=False,
        timeout=httpx.Timeout(connect=CONNECT_S, read=READ_S, write=WRITE_S, pool=POOL_S),
    )


def timeouts(total_s: float) -> dict[str, float]:
    """Return the value of the request extension `timeout`, none above `total_s`.

    The extension `remaining_s` may stand beside it: it is asked again and again how many seconds are left.
    """
    steps = {"connect": CONNECT_S, "read": READ_S, "write": WRITE_S, "pool": POOL_S}
    return {step: min(limit_s, total_s) for step, limit_s in steps.items()} | {"total": total_s}


class _Pool(TypedDict):
    ssl_context: ssl.SSLContext
    max_connections: int
    max_keepalive_connections: int
    keepalive_expiry: float
    network_backend: httpcore.NetworkBackend


class BoundedTransport(httpx.HTTPTransport):
    """HTTP/1.1 with the timeout `total` and the question `remaining_s`."""

    def __init__(self, connections_max: int, tls: ssl.SSLContext, proxy: str | None) -> None:
        """Keep at most so many connections, through a proxy if there is one, and verify certificates."""
        super().__init__(verify=tls, trust_env=False)
        self._ends = _Ends()
        way = httpx.Proxy(proxy) if proxy else None
        backend = _BoundedBackend(self._ends, way.url.host if way else "")
        # httpx has no argument for the network backend; its pool is replaced by an equal one.
        kept: _Pool = {
            "ssl_context": tls,
            "max_connections": connections_max,
            "max_keepalive_connections": connections_max,
            "keepalive_expiry": _IDLE_S,
            "network_backend": backend,
        }
        if way is None:
            self._pool = httpcore.ConnectionPool(**kept)
        else:
            at = httpcore.URL(scheme=way.url.raw_scheme, host=way.url.raw_host, port=way.url.port, target=b"/")
            verify = tls if way.url.scheme == "https" else None
            self._pool = httpcore.HTTPProxy(at, way.raw_auth, proxy_ssl_context=verify, **kept)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Start the clock, then send; the body is read later, in the same thread."""
        total_s = request.extensions.get("timeout", {}).get("total", math.inf)
        self._ends.at = time.monotonic() + total_s
        self._ends.remaining_s = request.extensions.get("remaining_s", lambda: math.inf)
        return super().handle_request(request)


class _Ends(threading.local):
    """When the exchange of this thread must be over: at a time on the monotonic clock, or sooner if asked to."""

    at = math.inf
    remaining_s: Callable[[], float] = staticmethod(lambda: math.inf)

    def limit_s(self, step_s: float | None, expired: type[Exception]) -> float:
        """Return the time one step may take; raise if there is none left."""
        left_s = min(self.at - time.monotonic(), self.remaining_s())
        if left_s <= 0:
            raise expired
        return left_s if step_s is None else min(left_s, step_s)


class _BoundedBackend(httpcore.NetworkBackend):
    def __init__(self, ends: _Ends, proxy_host: str) -> None:
        self._inner = httpcore.SyncBackend()
        self._ends = ends
        self._proxy_host = proxy_host

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        limit_s = self._ends.limit_s(timeout, httpcore.ConnectTimeout)
        whose = f"the proxy {host}" if host == self._proxy_host else host
        try:
            stream = self._inner.connect_tcp(host, port, limit_s, local_address, socket_options)
        except httpcore.ConnectTimeout:
            obstacle: Obstacle = Passing(f"{whose} port {port} did not answer in time", repeats=True)
        except httpcore.ConnectError as error:
            obstacle = connect_obstacle(whose, port, error.__cause__)
        else:
            return _BoundedStream(stream, self._ends)
        raise NoConnectionError(obstacle)


class _BoundedStream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, ends: _Ends) -> None:
        self._inner = inner
        self._ends = ends

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        silent_until = time.monotonic() + (math.inf if timeout is None else timeout)
        while True:
            step_s = min(_SLICE_S, max(silent_until - time.monotonic(), 0.001))
            limit_s = self._ends.limit_s(step_s, httpcore.ReadTimeout)
            try:
                return self._inner.read(max_bytes, limit_s)
            except httpcore.ReadTimeout:
                if time.monotonic() >= silent_until:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._ends.limit_s(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self, ssl_context: ssl.SSLContext, server_hostname: str | None = None, timeout: float | None = None
    ) -> httpcore.NetworkStream:
        limit_s = self._ends.limit_s(timeout, httpcore.ConnectTimeout)
        try:
            stream = self._inner.start_tls(ssl_context, server_hostname, limit_s)
        except httpcore.ConnectError as error:
            obstacle = tls_obstacle(server_hostname or "the host", error.__cause__)
        else:
            return _BoundedStream(stream, self._ends)
        raise NoConnectionError(obstacle)

    def get_extra_info(self, info: str) -> object:
        return self._inner.get_extra_info(info)


class RateLimiter:
    """Two sliding windows over the requests of one account; safe for threads."""

    def __init__(
        self, *, per_minute: int, data_per_minute: int, monotonic: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        """Allow so many requests, at least 1, in any minute: to `/data/*`, and to the rest."""
        if min(per_minute, data_per_minute) < 1:
            raise ValueError("a budget of requests per minute is at least 1")
        self._rest: deque[float] = deque(maxlen=per_minute)
        self._data: deque[float] = deque(maxlen=data_per_minute)
        self._monotonic = monotonic
        self._sleep = sleep
        self._lock = threading.Lock()

    def wait(self, path: str, deadline: Deadline) -> None:
        """Wait until a request to `path` fits its budget, and count it.

        Raises DeadlineExceededError if it would not fit in time; it was not counted.
        """
        window = self._data if path.startswith(_DATA) else self._rest
        while True:
            left_s = deadline.remaining_s()
            if left_s <= 0:
                raise DeadlineExceededError("this run's time is up; nothing was sent")
            wait_s = self._counted(window)
            if wait_s <= 0:
                return
            if wait_s >= left_s:
                raise DeadlineExceededError(
                    f"Pinata's request budget is used up for {wait_s:.0f} s, "
                    f"and this run has {left_s:.0f} s left; nothing was sent"
                )
            self._sleep(min(wait_s, LOOK_S))

    def _counted(self, window: deque[float]) -> float:
        """Count a request if it fits now; if not, return how long that takes."""
        with self._lock:
            now = self._monotonic()
            wait_s = _free_at(window) - now
            if wait_s <= 0:
                window.append(now)
            return wait_s


def _free_at(window: deque[float]) -> float:
    """Return when the oldest of the last N requests leaves the window."""
    full = len(window) == window.maxlen
    return window[0] + WINDOW_S if full else -math.inf
