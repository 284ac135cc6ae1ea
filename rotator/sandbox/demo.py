"""One key's life against the simulated systems, watched by a consumer, with a crash in the middle.

It drives the real command line as a process and reads what happened from `rotator audit show`, so it shares no code
with what it shows.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from rich.console import Console

from rotator.sandbox.consumer import Consumer, Count
from rotator.sandbox.pinata.faults import Operation
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.running import Sandbox

_COMMAND_S = 60.0
_CALLS_MIN = 20
_VERBS = {
    "CreateApiKey": "key created",
    "PutSecretValue": "stored as AWSPENDING",
    "VerifyApiKey": "read back and verified",
    "AttachLabel": "marked as still alive",
    "Promote": "promoted to AWSCURRENT",
    "RemoveLabel": "label removed",
    "RevokeApiKey": "superseded key revoked",
    "ProveKeyDead": "revoked key proved dead",
}


def demo() -> int:
    """Rotate a key in simulated systems while a consumer uses it, and once die half-way."""
    started = time.monotonic()
    with (
        tempfile.TemporaryDirectory(prefix="rotator-demo-") as folder,
        Sandbox(Path(folder)) as running,
        Consumer(running.pinata.url, running.secrets_manager.endpoint_url, "prod/pinata/uploader") as consumer,
    ):
        account = _Account(running, Console(highlight=False))
        account.tell()
    return account.conclude(consumer.count, time.monotonic() - started)


@dataclass(slots=True)
class _Account:
    """The story, and the checks that make it one."""

    running: Sandbox
    console: Console
    failures: int = 0
    _told: set[tuple[str, int]] = field(default_factory=set)

    def tell(self) -> None:
        """Rotate, die half-way, recover, prove."""
        self.console.print("[bold]rotator demo[/]  the real command line, a simulated Pinata and AWS\n")
        self._say(f"prod/pinata/uploader holds a key that was made by hand: {self._live()[0].key}")
        self._say("A consumer reads the secret and calls Pinata with it, over and over.")

        self._heading("rotator rotate uploader", "take the key over")
        self._narrate(self._rotator("rotate", "uploader"))

        self._heading("rotator rotate uploader", "again, killed right after Pinata made the key")
        code = self._kill_after_create()
        self._check("the process is dead: SIGKILL", passed=code == -signal.SIGKILL)
        lost = {key.key for key in self._live()} - {self.running.current_key_id()}
        self._check(f"{len(lost)} live key is in no secret", passed=len(lost) == 1)

        self._heading("rotator run", "finds that key by its name, and finishes the job")
        self._narrate(self._rotator("run"))

        self._heading("rotator audit verify", "")
        verified = self._rotator("audit", "verify")
        self._check(verified.stdout.strip().partition(": each")[0], passed=verified.returncode == 0)

    def conclude(self, count: Count, elapsed_s: float) -> int:
        """Print what came of it, and return the exit code."""
        live, dead = (self._live(), [key for key in self.running.rotated_keys() if key.revoked_at is not None])
        in_use = self.running.current_key_id()
        self.console.print()
        self._check(
            f"[bold]consumer: {count.calls} calls, {count.refused} refused[/], over {len(count.keys)} keys",
            passed=count.calls >= _CALLS_MIN and not count.refused and not count.problems,
        )
        self._check(
            f"{len(live)} live key, the one in AWSCURRENT; {len(dead)} keys dead",
            passed=[key.key for key in live] == [in_use],
        )
        self._say(f"[dim]{elapsed_s:.1f} s; everything above is in the audit trail. Next: rotator init[/]")
        return 1 if self.failures else 0

    def _live(self) -> list[KeyRecord]:
        return [key for key in self.running.rotated_keys() if key.revoked_at is None]

    def _rotator(self, *args: str) -> subprocess.CompletedProcess[str]:
        """Run the real command line, as cron would."""
        return subprocess.run(  # noqa: S603 - our own interpreter and arguments
            [sys.executable, "-m", "rotator", *args],
            env=os.environ | self.running.environment,
            capture_output=True,
            text=True,
            timeout=_COMMAND_S,
            check=False,
        )

    def _kill_after_create(self) -> int:
        """Start a rotation and kill it when the key exists, before the answer leaves Pinata."""
        site = self.running.pinata.site
        process = subprocess.Popen(
            [sys.executable, "-m", "rotator", "rotate", "uploader"],
            env=os.environ | self.running.environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def kill(number: int, operation: Operation) -> None:
            del number
            if operation is Operation.CREATE:
                process.kill()
                process.wait(_COMMAND_S)

        unhooked, site.before_reply = site.before_reply, kill
        try:
            return process.wait(_COMMAND_S)
        finally:
            site.before_reply = unhooked

    def _narrate(self, command: subprocess.CompletedProcess[str]) -> None:
        """Tell what a command did, from the audit trail; and its failure, if it failed."""
        for line in self._rotator("audit", "show", "--json").stdout.splitlines():
            record = json.loads(line)
            event = (record["run_id"], record["sequence"])
            if record["kind"] == "done" and event not in self._told:
                self._told.add(event)
                about = record["detail"] or record["key_id"] or record["label"]
                verb = _VERBS[record["operation"]]
                self._check(f"{verb:<24} [dim]{about}[/]", passed=record["result"] == "success")
        if command.returncode != 0:
            self._check((command.stdout + command.stderr).strip(), passed=False)

    def _heading(self, command: str, what: str) -> None:
        self.console.print(f"\n[bold cyan]$ {command}[/]" + (f"  [dim]# {what}[/]" if what else ""))

    def _check(self, text: str, *, passed: bool) -> None:
        self.failures += not passed
        mark = "[green]✓[/]" if passed else "[red]✗[/]"
        self.console.print(f"  {mark} {text}", soft_wrap=True)

    def _say(self, text: str) -> None:
        self.console.print(f"  {text}")
