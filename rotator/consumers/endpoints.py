"""Services that say which key they hold: `GET URL` answers `{"key_id": "..."}` or `{"version_id": "..."}`.

Every address of the name is asked, because each instance behind it holds a key of its own. No redirect is followed, no
proxy used, and nothing is sent but the request.
"""

import http.client
import json
import socket
import ssl
import threading
from contextlib import suppress
from http import HTTPStatus
from urllib.parse import urlsplit

from rotator.model.consumers import HttpEndpoint, Promotion, RollOut, Standing
from rotator.model.ports import Deadline

_ADDRESSES_MAX = 64
_ANSWER_MAX_BYTES = 16 * 1024
_TIMEOUT_S = 5.0


def ask_endpoint(endpoint: HttpEndpoint, promotion: Promotion, deadline: Deadline) -> Standing:
    """Return whether every address of the endpoint answers with the current key or version."""
    parts = urlsplit(endpoint.url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    addresses = sorted({str(row[4][0]) for row in found})
    if len(addresses) > _ADDRESSES_MAX:
        return Standing(endpoint, RollOut.UNKNOWN, f"its name has more than {_ADDRESSES_MAX} addresses")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    for address in addresses:
        timeout_s = min(_TIMEOUT_S, deadline.remaining_s())
        if timeout_s <= 0:
            return Standing(endpoint, RollOut.UNKNOWN, "no time was left")
        connection = _connection(parts.scheme, host, port, address, timeout_s)
        watchdog = threading.Timer(timeout_s, _cut, (connection.sock,))  # a time-out of a socket is for one read
        watchdog.start()
        try:
            connection.request("GET", path, headers={"Host": parts.netloc, "Accept": "application/json"})
            answer = connection.getresponse()
            status, body = answer.status, answer.read(_ANSWER_MAX_BYTES)
        finally:
            watchdog.cancel()
            connection.close()
        if status != HTTPStatus.OK:
            return Standing(endpoint, RollOut.UNKNOWN, f"{address} answered {status}")
        told = json.loads(body)
        if told.get("key_id") != promotion.key_id and told.get("version_id") != promotion.version_id:
            return Standing(endpoint, RollOut.BEHIND, f"{address} does not hold the current key")
    return Standing(endpoint, RollOut.FOLLOWED)


def _connection(scheme: str, host: str, port: int, address: str, timeout_s: float) -> http.client.HTTPConnection:
    """Return a connection to one address, whose certificate must be the host's."""
    if scheme == "https":
        context = ssl.create_default_context()
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout_s, context=context
        )
        raw = socket.create_connection((address, port), timeout_s)
        connection.sock = context.wrap_socket(raw, server_hostname=host)
        return connection
    connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
    connection.sock = socket.create_connection((address, port), timeout_s)
    return connection


def _cut(sock: socket.socket) -> None:
    with suppress(OSError):
        sock.shutdown(socket.SHUT_RDWR)
