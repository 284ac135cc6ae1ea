"""The program that `credential_process` of an AWS profile names, run for a bounded time.

botocore waits for it without end, and quotes what it printed. Here it is ended when its time is up, and what is told of
it is how it failed, in words of ours.
"""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass

LIMIT_S = 30.0
"""How long it may take: time to touch a security key, and no more."""
_NEEDED = ("AccessKeyId", "SecretAccessKey")


class CredentialProcessError(Exception):
    """The program gave no credentials; the message completes "the `credential_process` ..."."""


@dataclass(frozen=True, slots=True)
class Ended:
    """What botocore reads of a process."""

    stdout: bytes
    returncode: int = 0

    def communicate(self) -> tuple[bytes, bytes]:
        """Return what was printed."""
        return self.stdout, b""


def run(command: Sequence[str], **_: object) -> Ended:
    """Run a program to its end; botocore calls this in place of `subprocess.Popen`.

    Raises CredentialProcessError if it cannot be started, takes too long, fails, or prints no credentials.
    """
    problem = ""
    try:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)  # noqa: S603 - as AWS defines it
    except OSError as error:
        problem = f"cannot be started ({error.strerror or type(error).__name__})"
    except ValueError:
        problem = "cannot be started (it is not a command)"
    if problem:
        raise CredentialProcessError(problem)
    try:
        printed, _none = process.communicate(timeout=LIMIT_S)
    except subprocess.TimeoutExpired:
        problem = f"did not end within {LIMIT_S:g} s, and was ended"
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()  # not read to its end: a child of the program may hold it open
    if not problem and process.returncode:
        problem = f"ended with exit code {process.returncode}"
    if not problem:
        problem = _flaw(printed)
    if problem:
        raise CredentialProcessError(problem)
    return Ended(printed)


def _flaw(printed: bytes) -> str:
    """Say what keeps an output from being credentials, if anything does."""
    try:
        told = json.loads(printed)
    except (ValueError, RecursionError):
        told = None
    if not isinstance(told, dict):
        return "printed something else than a JSON object"
    if told.get("Version") != 1:
        return "printed JSON without `Version` 1"
    missing = [name for name in _NEEDED if not isinstance(told.get(name), str)]
    return f"printed JSON without `{missing[0]}`" if missing else ""
