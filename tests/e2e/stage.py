"""A sandbox, the command line against it, and questions about both systems.

stage.rotator("run", "--json")       the whole command line in this process: five times as fast as starting another
stage.process("run", "--json")       the same as a process of its own, awaited
stage.start("run")                   the same, not awaited: to be signalled, killed or read from
stage.row("rotate", "uploader")      the one JSON object that `stage.rotator` prints
stage.edit('grace = "0s"', 'grace = "24h"')
stage.live_keys(), stage.labels(), stage.world(), stage.writes()
"""

import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import time_machine

import rotator.wiring.connect
import rotator.wiring.runs
from rotator.audit.directory.files import audit_files
from rotator.cli import run as rotator_in_this_process
from rotator.model.naming import KeyFamily, version_id
from rotator.sandbox.pinata.faults import Fault, Injection, Operation
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import ACCOUNT, REGION, SECRET, Sandbox, value_of
from rotator.sandbox.secrets_manager.state import Secret
from rotator.sandbox.secrets_manager.store import READS, Scope
from rotator.wiring.environment import TRUST

COMMAND = (sys.executable, "-m", "rotator")
COMMAND_S = 600.0
"""For what takes a second or two; the machine may be busy, and only what hangs takes so long."""
FAILED, USAGE, PERSON, AUDIT = 1, 2, 3, 4
"""Exit codes but 0."""
PERMISSIONS = 'permissions = { resources = ["org:files:write"] }'
TWO_SECONDS = 'verify_timeout = "2s"\n'
"""For `[defaults]`: little patience with a new key that does not work, and with a revoked one that does."""
MONTHS_S = 60 * 86_400.0
Environment = Mapping[str, str | None]
"""Variables to set, or with None to unset."""


class SkippedTime:
    """A wait that costs no time: every clock of this process, both simulated systems' among them, is put forward."""

    def __init__(self, clocks: time_machine.Traveller) -> None:
        """Move these clocks, which tell the time of day."""
        self._clocks = clocks
        self.skipped_s = 0.0

    def sleep(self, seconds: float) -> None:
        """Go on to the end of the wait."""
        self.skipped_s += seconds
        self._clocks.shift(seconds)

    def monotonic(self) -> float:
        """Return the monotonic clock's time as if everything had been waited for."""
        return time.monotonic() + self.skipped_s


class Stage:
    """Where one test plays; `sandbox` is up as long as the fixture.

    Args:
        sandbox: one that is running.

        skipped: how commands in this process wait; by default they wait in earnest.
    """

    def __init__(self, sandbox: Sandbox, skipped: SkippedTime | None = None) -> None:
        self.sandbox = sandbox
        self.site = sandbox.pinata.site
        self._skipped = skipped

    # The command line

    def environment(self, changes: Environment | None = None) -> dict[str, str]:
        """Return the environment of a child process."""
        machine = {name: value for name, value in os.environ.items() if name not in TRUST}
        merged: dict[str, str | None] = {**machine, **self.sandbox.environment, **(changes or {})}
        return {name: value for name, value in merged.items() if value is not None}

    def start(self, *args: str, env: Environment | None = None) -> subprocess.Popen[str]:
        """Start the command line."""
        return subprocess.Popen(
            [*COMMAND, *args],
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def process(
        self, *args: str, env: Environment | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end as a process of its own."""
        return subprocess.run(
            [*COMMAND, *args],
            env=self.environment(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )

    def rotator(
        self, *args: str, env: Environment | None = None, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run the command line to its end in this process."""
        out, err = io.StringIO(), io.StringIO()
        with self.surroundings(env, cwd), redirect_stdout(out), redirect_stderr(err):
            code = int(rotator_in_this_process(args))
        return subprocess.CompletedProcess(["rotator", *args], code, out.getvalue(), err.getvalue())

    @contextmanager
    def surroundings(self, env: Environment | None = None, cwd: Path | None = None) -> Iterator[None]:
        """Give this process the environment, the folder and the clock of a command."""
        wanted = self.environment(env)
        with pytest.MonkeyPatch.context() as patch:
            for name in os.environ.keys() - wanted.keys():
                patch.delenv(name)
            for name, value in wanted.items():
                patch.setenv(name, value)
            if cwd is not None:
                patch.chdir(cwd)
            if self._skipped is not None:
                clock = SimpleNamespace(time=time.time, monotonic=self._skipped.monotonic, sleep=self._skipped.sleep)
                patch.setattr(rotator.wiring.connect, "time", clock)
                patch.setattr(rotator.wiring.runs, "time", clock)
            yield

    def waited_s(self) -> float:
        """Return how long the commands in this process would have waited so far."""
        assert self._skipped is not None
        return self._skipped.skipped_s

    def passes(self, seconds: float) -> None:
        """Let time pass for both systems and for commands in this process, all at once."""
        assert self._skipped is not None
        self._skipped.sleep(seconds)

    def rows(self, *args: str, code: int = 0) -> list[dict[str, Any]]:
        """Return the JSON lines that a command prints but its summary, once its exit code is as expected."""
        done = self.rotator(*args, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: list[dict[str, Any]] = [json.loads(line) for line in done.stdout.splitlines()]
        return [row for row in found if "summary" not in row]

    def summary(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Return the summary that a command prints as its last JSON line."""
        done = self.rotator(*args, "--json")
        assert done.returncode == code, done.stdout + done.stderr
        found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])["summary"]
        return found

    def row(self, *args: str, code: int = 0) -> dict[str, Any]:
        """Return the only JSON line that a command prints."""
        (row,) = self.rows(*args, code=code)
        return row

    def edit(self, old: str, new: str) -> None:
        """Replace one place of the configuration."""
        path = self.sandbox.config_path
        text = path.read_text()
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in\n{text}"
        path.write_text(text.replace(old, new))

    def add_secret(self, name: str, secret_id: str) -> None:
        """Add an entry to the configuration."""
        with self.sandbox.config_path.open("a") as file:
            file.write(f'\n[[secrets]]\nname = "{name}"\nsecret_id = "{secret_id}"\n{PERMISSIONS}\n')

    def audit_lines(self) -> list[str]:
        """Return the lines of the audit trail, file by file."""
        return [line for path in audit_files(self.sandbox.audit_directory) for line in path.read_text().splitlines()]

    # What a command must come to

    def said(self, done: subprocess.CompletedProcess[str]) -> str:
        """Return what a command printed, on one line, after making sure that it shows no token."""
        text = done.stdout + done.stderr
        for key in self.site.world.keys.values():
            assert not any(secret[:24] in text for secret in (key.jwt, key.jwt[60:], key.secret))
        return " ".join(text.split())

    def refused(
        self, *phrases: str, code: int, command: tuple[str, ...] = ("run",), env: Environment | None = None
    ) -> None:
        """Run a command that is refused: this code, these words, and nothing changed."""
        before = self.world()
        done = self.rotator(*command, env=env)
        text = self.said(done)
        assert done.returncode == code, text
        for phrase in phrases:
            assert phrase in text, text
        assert self.world() == before

    def heals(self) -> None:
        """Run once more: one live key of ours is left, inside AWSCURRENT."""
        row = self.row("run")
        assert row["outcome"] in {"rotated", "up_to_date"}, row
        assert self.live_keys() == [self.sandbox.current_key_id()] == [row["key_id"]]
        assert "AWSPENDING" not in self.labels()

    # How the simulated Pinata behaves

    def inject(self, fault: Fault, operation: Operation | None, times: int | None) -> None:
        """Let the next calls go wrong."""
        with self.site.lock:
            self.site.faults.add(Injection(fault, operation, times=times))

    def heal(self) -> None:
        """Let nothing go wrong any more."""
        with self.site.lock:
            self.site.faults.clear()

    def switch(self, **changes: object) -> None:
        """Settle open questions about Pinata otherwise."""
        with self.site.lock:
            self.site.world.switches = replace(self.site.world.switches, **changes)  # type: ignore[arg-type]  # fields by name

    # The secrets

    def put(self, value: str, secret: str = SECRET, token: str | None = None) -> str:
        """Put a value by hand as AWSCURRENT, and return its version id."""
        token = token or f"edited-by-hand-{time.time_ns():020}"
        self.sandbox.call("PutSecretValue", {"SecretId": secret, "SecretString": value, "ClientRequestToken": token})
        return token

    def empty(self) -> None:
        """Replace the seeded secret with one that has no value; its key is gone, too."""
        self.sandbox.call("DeleteSecret", {"SecretId": SECRET, "ForceDeleteWithoutRecovery": True})
        with self.site.lock:
            for key in self.sandbox.rotated_keys():
                del self.site.world.keys[key.key]
        self.sandbox.create_secret(SECRET)

    def own(self, generation: int = 1) -> KeyRecord:
        """Replace the seeded secret with one that holds a key of ours of a generation, long due."""
        secrets = self.sandbox.secrets_manager.secrets
        clock = secrets._clock
        secrets._clock = lambda: clock() - MONTHS_S
        try:
            self.empty()
            token = version_id(generation, datetime.fromtimestamp(secrets._clock(), UTC), "0123456789")
            name = KeyFamily.of("rotator", self.arn()).key_name(token)
            key = self.sandbox.seed_key(name, age_s=MONTHS_S)
            self.put(value_of(key), token=token)
        finally:
            secrets._clock = clock
        return key

    def seed(self, name: str, permissions: Permissions) -> KeyRecord:
        """Put a key with these permissions into the Pinata account."""
        with self.site.lock:
            return self.site.world.seed(name, permissions, account="sandbox")

    def secret(self) -> Secret | None:
        """Return the secret itself, deleted or not; None if there is none."""
        secrets = self.sandbox.secrets_manager.secrets
        entry = secrets._stores[Scope(ACCOUNT, REGION)].find(SECRET, secrets._clock())
        return entry.latest if entry else None

    def describe(self, secret: str = SECRET) -> dict[str, Any]:
        """Return DescribeSecret's answer."""
        return self.sandbox.call("DescribeSecret", {"SecretId": secret})

    def arn(self, secret: str = SECRET) -> str:
        """Return a secret's ARN."""
        return str(self.describe(secret)["ARN"])

    def labels(self, secret: str = SECRET) -> dict[str, str]:
        """Return the version that carries each label."""
        stages = self.describe(secret).get("VersionIdsToStages", {})
        return {label: version for version, labels in stages.items() for label in labels}

    def text(self, secret: str = SECRET) -> str:
        """Return the value that consumers read."""
        return str(self.sandbox.call("GetSecretValue", {"SecretId": secret})["SecretString"])

    # Both systems

    def live_keys(self) -> list[str]:
        """Return the ids of the keys that Pinata accepts, but the managing one."""
        return [key.key for key in self.sandbox.rotated_keys() if key.revoked_at is None]

    def key(self, key_id: str) -> KeyRecord:
        """Return a key of the account."""
        with self.site.lock:
            return self.site.world.keys[key_id]

    def world(self) -> object:
        """Return everything that a run could change, to be compared with itself."""
        listed = self.sandbox.call("ListSecrets", {})["SecretList"]
        return sorted(self.live_keys()), len(self.sandbox.rotated_keys()), listed

    def writes(self) -> int:
        """Return how many calls that can change something were made to both systems."""
        asked = self.sandbox.secrets_manager.requests
        return (
            self.site.count(Operation.CREATE)
            + self.site.count(Operation.REVOKE)
            + sum(request.operation not in READS for request in asked)
        )

    def calls(self) -> int:
        """Return how many calls were made to both systems."""
        return len(self.site.log) + len(self.sandbox.secrets_manager.requests)
