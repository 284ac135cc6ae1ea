"""Execution environments: processes that run a function's code under the real `awslambdaric`.

One environment handles one call at a time. It is kept for the next one, as Lambda does, unless the call timed out
or the process died: then the next call starts cold. The code sees its own folder and the runtime, and nothing of
the machine's other packages (`python -S`).
"""

import json
import os
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import distribution
from pathlib import Path
from queue import Empty
from typing import IO

from tests.stack.aws.runtime_api import (
    Answer,
    Event,
    Exited,
    Expired,
    HandlerError,
    InitError,
    Ready,
    Response,
    RuntimeApi,
)

INIT_S = 600.0
"""How long loading a handler may take here; Lambda allows 10 s, on a machine of its own."""
END_S = 60.0
RUNTIME = ("awslambdaric", "simplejson", "snapshot-restore-py")
"""The distributions a managed Python runtime consists of."""


@dataclass(frozen=True, slots=True)
class Code:
    """What an environment runs; `folder` is the unpacked bundle, `runtime` what `lay_out_runtime` made."""

    function_arn: str
    handler: str
    folder: Path
    runtime: Path
    memory_mb: int
    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Invocation:
    """How one call ended: the payload, and whether it is an error, as Invoke shows them."""

    payload: bytes
    failed: bool
    cold: bool
    seconds: float


def lay_out_runtime(folder: Path) -> None:
    """Link the runtime's own packages into `folder`, so that nothing else is on its path."""
    for name in RUNTIME:
        installed = distribution(name)
        for top in {file.parts[0] for file in installed.files or ()}:
            link = folder / top
            if not top.endswith(".dist-info") and top != "__pycache__" and not link.exists():
                link.symlink_to(str(installed.locate_file(top)))


class Environment:
    """One process and its Runtime API. Not for two threads at a time, but for `kill`."""

    def __init__(self, code: Code, on_line: Callable[[str], None]) -> None:
        """Nothing runs before the first call; `on_line` gets every line the process prints."""
        self.code = code
        self._on_line = on_line
        self._api = RuntimeApi().__enter__()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_alive(self) -> bool:
        """Whether there is a process that could take a call."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """End the process at once, as a lost host would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(END_S)

    def expire(self) -> None:
        """Take what is left of the present call's timeout as passed."""
        self._api.answers.put(Expired())

    def close(self) -> None:
        """End the process and the API."""
        self.kill()
        self._api.__exit__(None, None, None)

    def invoke(self, payload: bytes, timeout_s: float) -> Invocation:
        """Run the handler once. Whatever happens to it is in the answer."""
        began = time.monotonic()
        cold = not self.is_alive
        refusal = self._start() if cold else None
        if refusal is not None:
            return Invocation(refusal, failed=True, cold=cold, seconds=time.monotonic() - began)
        request_id = str(uuid.uuid4())
        arn = self.code.function_arn
        self._api.hand_over(Event(request_id, payload, time.time() + timeout_s, arn))
        answer, failed = self._outcome(request_id, timeout_s)
        return Invocation(answer, failed=failed, cold=cold, seconds=time.monotonic() - began)

    def _outcome(self, request_id: str, timeout_s: float) -> tuple[bytes, bool]:
        deadline = time.monotonic() + timeout_s
        while True:
            match self._answer(deadline):
                case Expired():
                    self.kill()
                    message = f"{request_id} Task timed out after {timeout_s:.2f} seconds"
                    self._on_line(message)
                    return _error("Sandbox.Timedout", message), True
                case Response(answered, payload) if answered == request_id:
                    return payload, False
                case HandlerError(answered, payload) if answered == request_id:
                    return payload, True
                case Exited():
                    message = f"RequestId: {request_id} Error: Runtime exited"
                    return _error("Runtime.ExitError", message), True
                case _:
                    continue

    def _answer(self, deadline: float) -> Answer:
        try:
            return self._api.answers.get(timeout=max(deadline - time.monotonic(), 0.0))
        except Empty:
            return Expired()

    def _start(self) -> bytes | None:
        """Start a process and wait until it is ready; the error if it does not come up."""
        self._api.__exit__(None, None, None)
        self._api = RuntimeApi().__enter__()
        self._process = subprocess.Popen(
            [sys._base_executable, "-S", "-s", "-m", "awslambdaric", self.code.handler],  # type: ignore[attr-defined]  # the interpreter below a virtual environment
            cwd=self.code.folder,
            env=self._variables(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        watch = threading.Thread(target=self._watch, args=(self._process, self._api), daemon=True)
        watch.start()
        try:
            answer = self._api.answers.get(timeout=INIT_S)
        except Empty:
            self.kill()
            return _error("Sandbox.Timedout", f"initialisation took over {INIT_S:.0f} s")
        match answer:
            case Ready():
                return None
            case InitError(payload):
                self.kill()
                return payload
            case _:
                return _error("Runtime.ExitError", "Runtime exited while it was initialised")

    def _watch(self, process: subprocess.Popen[bytes], api: RuntimeApi) -> None:
        """Pass on what the process prints, and say when it has ended."""
        output: IO[bytes] | None = process.stdout
        for line in output or ():
            self._on_line(line.decode("utf-8", "replace").rstrip("\n"))
        process.wait()
        if output is not None:
            output.close()
        api.answers.put(Exited())

    def _variables(self) -> dict[str, str]:
        """What Lambda sets (developer guide, "Defined runtime environment variables"), and the function's own."""
        region, name = self.code.function_arn.split(":")[3], self.code.function_arn.split(":")[6]
        paths = (self.code.folder, self.code.runtime)
        return {
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "LANG": "en_US.UTF-8",
            "TZ": ":UTC",
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LAMBDA_TASK_ROOT": str(self.code.folder),
            "LAMBDA_RUNTIME_DIR": str(self.code.runtime),
            "_HANDLER": self.code.handler,
            "AWS_EXECUTION_ENV": "AWS_Lambda_python{}.{}".format(*sys.version_info),
            "AWS_REGION": region,
            "AWS_DEFAULT_REGION": region,
            "AWS_LAMBDA_RUNTIME_API": self._api.address,
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(self.code.memory_mb),
            "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
            "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
            "AWS_LAMBDA_LOG_STREAM_NAME": "sandbox",
            **dict(self.code.variables),
        }


class Pool:
    """The environments of one function: as many as calls at a time."""

    def __init__(self, on_line: Callable[[str], None]) -> None:
        """None yet."""
        self._on_line = on_line
        self._idle: list[Environment] = []
        self._busy: set[Environment] = set()
        self._lock = threading.Lock()

    def invoke(self, code: Code, payload: bytes, timeout_s: float) -> Invocation:
        """Run one call in a warm environment of this very code, or in a new one."""
        with self._taken(code) as environment:
            return environment.invoke(payload, timeout_s)

    def kill(self) -> None:
        """Kill what is at work now."""
        with self._lock:
            for environment in self._busy:
                environment.kill()

    def expire(self) -> None:
        """Take the timeout of what is at work now as passed."""
        with self._lock:
            for environment in self._busy:
                environment.expire()

    def close(self) -> None:
        """End every process."""
        with self._lock:
            for environment in (*self._idle, *self._busy):
                environment.close()
            self._idle.clear()

    @contextmanager
    def _taken(self, code: Code) -> Iterator[Environment]:
        with self._lock:
            stale = [one for one in self._idle if one.code != code]
            self._idle = [one for one in self._idle if one.code == code]
            environment = self._idle.pop() if self._idle else Environment(code, self._on_line)
            self._busy.add(environment)
        for one in stale:
            one.close()
        try:
            yield environment
        finally:
            with self._lock:
                self._busy.discard(environment)
                self._idle.append(environment)


def credentials(name: str) -> Mapping[str, str]:
    """Return made-up credentials of a function, by which its calls are told from others'."""
    return {"AWS_ACCESS_KEY_ID": f"ASIA{name}", "AWS_SECRET_ACCESS_KEY": "sandbox", "AWS_SESSION_TOKEN": "sandbox"}


def _error(kind: str, message: str) -> bytes:
    return json.dumps({"errorType": kind, "errorMessage": message}).encode()
