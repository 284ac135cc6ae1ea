"""What every test gets: only loopback, AWS settings that lead nowhere, default signals, Hypothesis profiles."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from functools import cache
from ipaddress import ip_address
from typing import Any

import pytest
import structlog
from botocore.loaders import JSONFileLoader, Loader
from hypothesis import HealthCheck, settings

settings.register_profile(
    "dev",
    max_examples=50,
    deadline=None,  # a busy machine is not a failure
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("ci", settings.get_profile("dev"), max_examples=100, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""What tests send to processes that they start; `nohup`, or a shell's `&`, makes those processes ignore some of it."""


@pytest.fixture(scope="session", autouse=True)
def _loopback_only() -> Iterator[None]:
    """Fail a test that looks up or contacts anything beyond this machine."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
        patch.setattr(socket, "getaddrinfo", _guarded_lookup(socket.getaddrinfo))
        yield


@pytest.fixture(scope="session", autouse=True)
def _children_get_default_signals() -> Iterator[None]:
    """Handle, by doing nothing, what this process was started to ignore: a child would ignore it, too."""
    ignored = [number for number in STOPPING if signal.getsignal(number) is signal.SIG_IGN]
    for number in ignored:
        signal.signal(number, _do_nothing)
    yield
    for number in ignored:
        signal.signal(number, signal.SIG_IGN)


@pytest.fixture(scope="session", autouse=True)
def _botocore_reads_its_files_once() -> Iterator[None]:
    """Keep what botocore looks for and parses anew for each session: that is most of what a short command costs."""
    read, find = cache(JSONFileLoader().load_file), cache(Loader().list_available_services)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _, path: read(path))
        patch.setattr(Loader, "list_available_services", lambda _, type_name: find(type_name))
        yield


@pytest.fixture(autouse=True)
def _logs_go_nowhere_else() -> Iterator[None]:
    """Forget how a command that ran in this process set logging up: its streams are those of one test."""
    yield
    structlog.reset_defaults()


@pytest.fixture(scope="session", autouse=True)
def _aws_leads_nowhere() -> Iterator[None]:
    """Hide the developer's own AWS and rotator settings, from child processes too."""
    with pytest.MonkeyPatch.context() as patch:
        for name in list(os.environ):
            if name.startswith(("AWS_", "ROTATOR_")):
                patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        yield


def _do_nothing(*_: object) -> None:
    """Take note of no signal."""


def _guarded(method: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(self: socket.socket, *args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
        # The address is the last argument of all three methods; a Unix socket has no host.
        if self.family in {socket.AF_INET, socket.AF_INET6}:
            _require_loopback(args[-1][0])
        return method(self, *args)

    return guarded


def _guarded_lookup(lookup: Callable[..., Any]) -> Callable[..., Any]:
    def guarded(host: str | bytes | None, *args: Any, **options: Any) -> Any:  # noqa: ANN401 - as above
        _require_loopback(host)
        return lookup(host, *args, **options)

    return guarded


def _require_loopback(host: str | bytes | None) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if not name or name == "localhost":
        return
    try:
        allowed = ip_address(name).is_loopback
    except ValueError:
        allowed = False
    if not allowed:
        # Not an OSError: a client under test would take it for a network fault and retry.
        pytest.fail(f"a test tried to reach {name}; only loopback is allowed")
