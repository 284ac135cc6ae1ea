"""The listening socket and its limits: waitress, four threads, small requests only.

Without `hosts` only a loopback address is listened on. There is no TLS and no login: whoever can reach the port sees
names, ids and times. Beyond loopback, put it behind something that has both.
"""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any

from waitress import wasyncore
from waitress.server import create_server

from rotator.errors import ConfigError
from rotator.page.application import Application
from rotator.page.hosts import AllowedHosts
from rotator.page.sources import Sources

THREADS = 4
CONNECTIONS_MAX = 100
HEADERS_MAX_BYTES = 8_192
BODY_MAX_BYTES = 1_024
"""No request here has a body; a small one is read and ignored."""
IDLE_MAX_S = 10
LOOP_S = 1
CLOSE_S = 5


@dataclass(frozen=True, slots=True)
class Serving:
    """A server that answers."""

    url: str
    """Such as `http://127.0.0.1:8080`."""


@contextmanager
def serve(listen: tuple[str, int], sources: Sources) -> Iterator[Serving]:
    """Answer requests until the block ends.

    Args:
        listen: host and port; port 0 takes a free one.

        sources: what is shown.

    Raises:
        ConfigError: the address cannot be listened on, or is not loopback although no hosts are allowed.
    """
    bound = _listening(listen, sources.hosts)
    address, port = bound.getsockname()[:2]
    entries = sources.hosts
    if not ip_address(address).is_unspecified:
        entries |= {address}
    try:
        application = Application(sources, AllowedHosts.of(entries))
    except BaseException:
        bound.close()
        raise
    sockets: dict[int, Any] = {}
    server = create_server(
        application,
        map=sockets,
        sockets=[bound],
        threads=THREADS,
        connection_limit=CONNECTIONS_MAX,
        max_request_header_size=HEADERS_MAX_BYTES,
        max_request_body_size=BODY_MAX_BYTES,
        channel_timeout=IDLE_MAX_S,
        cleanup_interval=LOOP_S,
        ident=None,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=True,
    )
    stopping = threading.Event()

    def answer() -> None:
        while not stopping.is_set():
            wasyncore.loop(timeout=LOOP_S, map=sockets, count=1)

    thread = threading.Thread(target=answer, name="page", daemon=True)
    thread.start()
    shown = f"[{address}]" if bound.family == socket.AF_INET6 else address
    try:
        yield Serving(f"http://{shown}:{port}")
    finally:
        stopping.set()
        server.pull_trigger()
        thread.join(CLOSE_S)
        server.task_dispatcher.shutdown(timeout=CLOSE_S)
        wasyncore.close_all(sockets)


def _listening(listen: tuple[str, int], hosts: frozenset[str]) -> socket.socket:
    host, port = listen
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (OSError, UnicodeError):
        raise ConfigError(
            f"there is no address to listen on: {host[:80]!r}",
            next_step="Name an address of this machine, such as 127.0.0.1:8080.",
        ) from None
    if not hosts and not ip_address(address[0]).is_loopback:
        raise ConfigError(
            f"refused to serve the page on {address[0]}, which others can reach, while no host names are allowed",
            next_step="Listen on 127.0.0.1, or list the host names under which the page may be asked for.",
        )
    bound = socket.socket(family, socket.SOCK_STREAM)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
    except OSError as error:
        bound.close()
        raise ConfigError(
            f"cannot listen on {host}:{port}: {error.strerror}",
            next_step="Stop what listens there, or choose another port.",
        ) from None
    return bound
