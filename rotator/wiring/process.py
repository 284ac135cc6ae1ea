"""What this process lets out beside what it says: its memory, what libraries log; and who may stop it.

Entry points call `close_up` before they read anything. It is no defence against root, nor does
it wipe memory: Python cannot.
"""

import logging
import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STEERING = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP})

_PR_SET_DUMPABLE = 4
"""From prctl(2)."""

_LOUD = ("boto3", "botocore", "urllib3", "httpx", "httpcore", "hpack", "apscheduler", "werkzeug", "moto", "waitress")


def close_up() -> None:
    """Let neither other processes see the memory, nor libraries log what is in it, or import what nobody asks for."""
    forbid_dumps()
    silence_libraries()
    if "httpx" not in sys.modules:
        sys.modules["httpx._main"] = None  # type: ignore[assignment]  # its command line: 0.1 s of imports


@contextmanager
def hidden(name: str) -> Iterator[None]:
    """Let imports in this block do without an optional module."""
    found = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # what Python takes for "this cannot be imported"
    try:
        yield
    finally:
        del sys.modules[name]
        if found:
            sys.modules[name] = found


def silence_libraries() -> None:
    """Keep libraries quiet, whatever level others give the root logger (AWS Lambda does).

    At DEBUG, botocore logs whole secret values and the session tokens of roles, and httpcore headers (both measured).
    """
    for name in _LOUD:
        logging.getLogger(name).setLevel(logging.CRITICAL)
        logging.getLogger(name).propagate = False


def forbid_dumps() -> None:
    """Write no core dumps and, on Linux, let no other process of this user attach or read the memory.

    A child process starts without the second; it is kept from neither by a missing privilege.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - costs milliseconds, which other systems need not pay

        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)


def hold_signals() -> None:
    """Keep signals until this process is ready for them, and for the thread that waits for them, if there will be one.

    Called before any other thread begins: in the daemon, a handler would run between two instructions of the main
    thread, which may hold the scheduler's locks.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, STEERING)


def release_signals() -> None:
    """Let signals do what they do, those too that came meanwhile."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STEERING)


def is_told_to_stop() -> bool:
    """Tell whether a signal to stop is being held."""
    return bool(signal.sigpending() & {signal.SIGTERM, signal.SIGINT})
