"""The listening socket and its limits: waitress, four threads, small requests only.

Without `hosts` only a loopback address is listened on. There is no TLS and no login: whoever can reach the port sees
names, ids and times. Beyond loopback, put it behind something that has both.

A connection has some seconds for a whole request and its answer. Waitress counts from the last byte, which a byte now
and then renews for ever.
"""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from ipaddress import ip_address
from typing import Any

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.server import TcpWSGIServer

from rotator.model.errors import ConfigError
from rotator.page.application import Application
from rotator.page.hosts import AllowedHosts
from rotator.page.sources import Sources

THREADS = 4
CONNECTIONS_MAX = 100
HEADERS_MAX_BYTES = 8_192
BODY_MAX_BYTES = 1_024
"""No request here has a body; a small one is read and ignored."""
REQUEST_S = 10
"""A request is there as a whole so long after the connection, or after the answer before; and its answer is taken."""
LOOP_S = 1
CLOSE_S = 5
_V6 = 6


class _Channel(HTTPChannel):
    """A connection whose time runs from its beginning, or from its last answer."""

    def __init__(self, *args: Any, **options: Any) -> None:  # noqa: ANN401 - waitress's own
        self.since_s = time.monotonic()
        super().__init__(*args, **options)

    def service(self) -> None:
        """Answer a request."""
        super().service()
        self.since_s = time.monotonic()


class _Server(TcpWSGIServer):
    """A server that closes connections on which no request comes to an end."""

    channel_class = _Channel

    def close_slow(self) -> None:
        """Close what is too slow and, while there are too many connections, what has waited longest.

        So a probe finds room however many others only send a byte now and then.
        """
        channels: dict[int, _Channel] = self.active_channels  # type: ignore[assignment] # its stubs are wrong
        idle = sorted((c for c in channels.values() if not c.requests), key=lambda c: c.since_s)
        for channel in idle:
            if len(channels) >= CONNECTIONS_MAX or time.monotonic() - channel.since_s > REQUEST_S:
                channel.handle_close()


@contextmanager
def serve(listen: tuple[str, int], sources: Sources) -> Iterator[str]:
    """Answer requests at the address that is yielded, such as `http://127.0.0.1:8080`, until the block ends.

    Port 0 takes a free one. Raises ConfigError if the address cannot be listened on, or is not loopback although no
    hosts are allowed.
    """
    bound = _listening(listen, sources.hosts)
    address, port = bound.getsockname()[:2]
    address = address.partition("%")[0]  # an IPv6 zone is no part of a Host
    entries = sources.hosts
    if not ip_address(address).is_unspecified:
        entries |= {address}
    try:
        application = Application(sources, AllowedHosts.of(entries))
    except BaseException:
        bound.close()
        raise
    sockets: dict[int, Any] = {}
    server = _Server(
        application,
        sockets,
        _sock=bound,
        bind_socket=False,
        sockinfo=(bound.family, bound.type, bound.proto, bound.getsockname()),
        adj=Adjustments(
            listen="127.0.0.1:0",  # unused beside a socket of ours, but looked up
            threads=THREADS,
            connection_limit=2 * CONNECTIONS_MAX,  # not reached: room is made before
            max_request_header_size=HEADERS_MAX_BYTES,
            max_request_body_size=BODY_MAX_BYTES,
            ident=None,
            log_socket_errors=False,
            clear_untrusted_proxy_headers=True,
        ),
    )
    stopping = threading.Event()

    def answer() -> None:
        while not stopping.is_set():
            wasyncore.loop(timeout=LOOP_S, map=sockets, count=1)
            server.close_slow()

    thread = threading.Thread(target=answer, name="page", daemon=True)
    thread.start()
    shown = f"[{address}]" if bound.family == socket.AF_INET6 else address
    try:
        yield f"http://{shown}:{port}"
    finally:
        stopping.set()
        server.pull_trigger()
        thread.join(CLOSE_S)
        server.task_dispatcher.shutdown(timeout=CLOSE_S)
        wasyncore.close_all(sockets)


def _listening(listen: tuple[str, int], hosts: frozenset[str]) -> socket.socket:
    host, port = listen
    address = ip_address("127.0.0.1" if host == "localhost" else host)
    if not hosts and not address.is_loopback:
        raise ConfigError(
            f"refused to serve the page on {address}, which others can reach, while no host names are allowed",
            next_step="Listen on 127.0.0.1, or list the host names under which the page may be asked for.",
        )
    bound = socket.socket(socket.AF_INET6 if address.version == _V6 else socket.AF_INET)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((str(address), port))
    except (OSError, OverflowError) as error:
        bound.close()
        why = error.strerror if isinstance(error, OSError) else "no such port"
        raise ConfigError(
            f"cannot listen on {host}:{port}: {why}", next_step="Stop what listens there, or choose another port."
        ) from None
    return bound
