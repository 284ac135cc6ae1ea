"""What stood between this process and Pinata before a request could be sent, and whether repeating it may help."""

import re
import socket
import ssl
from dataclasses import dataclass
from http import HTTPStatus

import httpcore

_STATUS = re.compile(r"([1-5]\d\d)\b")
_PASSING = frozenset({HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT})


@dataclass(frozen=True, slots=True)
class Passing:
    """A connection failed that may succeed later; `detail` says which, and why."""

    detail: str
    repeats: bool
    """Whether that may be within this run."""


@dataclass(frozen=True, slots=True)
class Lasting:
    """Nothing gets through until a person mends what `detail` says."""

    detail: str
    next_step: str


Obstacle = Passing | Lasting
_TRUST = "Find out who answers for it. For a proxy that inspects TLS, name its authority in `[pinata] ca_file`."
_PROXY = "Compare `[pinata] proxy` with what the proxy allows, its user name and password included."


class NoConnectionError(httpcore.ConnectError):
    """A connection was not made; what a library says of it is left behind."""

    def __init__(self, obstacle: Obstacle) -> None:
        super().__init__()
        self.obstacle = obstacle


def connect_obstacle(host: str, port: int, failure: BaseException | None) -> Obstacle:
    """Return what kept a socket from being connected."""
    place = f"{host} port {port}"
    match failure:
        case socket.gaierror():
            return Passing(f"{host} does not resolve", repeats=failure.errno == socket.EAI_AGAIN)
        case ConnectionRefusedError():
            return Passing(f"{place} refused it", repeats=True)
        case OSError() if failure.strerror:
            return Passing(f"{place} cannot be reached ({failure.strerror})", repeats=True)
        case _:
            return Passing(f"{place} cannot be reached", repeats=True)


def tls_obstacle(host: str, failure: BaseException | None) -> Obstacle:
    """Return what kept TLS from being agreed on."""
    match failure:
        case ssl.SSLCertVerificationError():
            reason = failure.verify_message.rstrip(".")
            return Lasting(f"the certificate of {host} is not trusted ({reason})", _TRUST)
        case ssl.SSLError() if failure.reason:
            return Passing(f"{host} did not agree on TLS ({failure.reason})", repeats=True)
        case _:
            return Passing(f"{host} did not agree on TLS", repeats=True)


def proxy_obstacle(failure: Exception) -> Obstacle:
    """Return why a proxy did not connect us; httpcore gives its answer's status and reason as text."""
    told = _STATUS.match(str(failure))
    status = int(told[1]) if told else 0
    said = f"the proxy answered {status}" if status else "the proxy gave no usable answer"
    if not status or status in _PASSING:
        return Passing(said, repeats=True)
    return Lasting(said, _PROXY)
