"""The managing key replaces itself through the real command line, which is killed at each of its requests."""

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from rotator.sandbox.running import ACCOUNT, ADMIN_SECRET, REGION, SECRET_NAME, Sandbox
from rotator.sandbox.secrets_manager.store import Scope
from tests.e2e.stage import COMMAND_S, PERMISSIONS, USAGE, Stage
from tests.e2e.test_kill import REQUESTS_MAX, Killer, Moment

ENTRY = f'\n[[secrets]]\nname = "managing"\nsecret_id = "{ADMIN_SECRET}"\nmanages = true\ngrace = "0s"\n'


def prepare(stage: Stage) -> None:
    """Add the managing key's own secret to the configuration."""
    text = stage.sandbox.config_path.read_text()
    stage.sandbox.config_path.write_text(text + ENTRY + "permissions = { admin = true }\n")


def managing_id(stage: Stage) -> str:
    """Return the id of the key that the managing secret holds."""
    entry = stage.sandbox.secrets_manager.secrets._stores[Scope(ACCOUNT, REGION)].find(ADMIN_SECRET, 0.0)
    assert entry is not None
    token = json.loads(str(entry.latest.get(label="AWSCURRENT").value))["JWT"]
    (held,) = (key.key for key in stage.site.world.keys_of("sandbox") if key.jwt == token)
    return held


def managing_keys(stage: Stage) -> set[str]:
    """Return the live keys that can manage keys, and those made on trial."""
    keys = stage.site.world.keys_of("sandbox")
    return {k.key for k in keys if k.revoked_at is None and (k.permissions.admin or f"/{ADMIN_SECRET}-" in k.name)}


@contextmanager
def watched(stage: Stage, killer: Killer) -> Iterator[list[str]]:
    """Let a killer see each request, and note whenever the managing secret holds no key that can manage."""
    secrets, broken = stage.sandbox.secrets_manager.secrets, list[str]()

    def around(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any) -> Any:  # noqa: ANN401 - passes on what it wraps
            killer.arriving()
            answer = real(*args)
            if managing_id(stage) not in managing_keys(stage):
                broken.append(f"the managing secret holds a dead key after {args[:2]}")
            killer.answering()
            return answer

        return call

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stage.site, "_perform", around(stage.site._perform))
        patch.setattr(secrets, "answer", around(secrets.answer))
        yield broken


def kill_at(nth: int, moment: Moment, folder: Path) -> bool:
    """Kill a run at its n-th request, let others follow, and tell whether the first got so far."""
    folder.mkdir()
    with Sandbox(folder) as sandbox:
        stage = Stage(sandbox)
        prepare(stage)
        old, killer = managing_id(stage), Killer(nth, moment)
        with watched(stage, killer) as broken:
            killer.victim = stage.start("run", "managing")
            out, err = killer.victim.communicate(timeout=COMMAND_S)
        code = killer.victim.returncode
        assert code in {0, -signal.SIGKILL}, out + err
        assert broken == []
        for _ in range(3):
            stage.rows("run", "managing")
            assert managing_id(stage) in managing_keys(stage)
        assert managing_keys(stage) == {managing_id(stage)}
        assert managing_id(stage) != old
        stage.rows("audit", "verify")
        before = stage.writes()
        assert stage.row("run", "managing")["outcome"] == "up_to_date"
        assert stage.writes() == before
        assert stage.row("rotate", SECRET_NAME)["outcome"] == "rotated"
        return code != 0


@pytest.mark.parametrize("nth", [9, 15])
def test_a_leapfrog_killed_at_some_requests(tmp_path: Path, nth: int) -> None:
    """As the slow test below: while the new key is on trial, and when it was promoted."""
    assert kill_at(nth, Moment.BEFORE_THE_ANSWER, tmp_path / "sandbox")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("moment", Moment, ids=lambda moment: moment.name.lower())
def test_a_leapfrog_killed_at_every_request(tmp_path: Path, moment: Moment) -> None:
    """For every request: the managing secret always holds a key that can manage, and in the end there is no other."""
    nth = 1
    while kill_at(nth, moment, tmp_path / str(nth)):
        nth += 1
        assert nth < REQUESTS_MAX
    assert nth > 12, "a rotation of the managing key has more requests than these: nothing was killed"


def test_it_is_proved_before_it_is_promoted(stage: Stage) -> None:
    """Each key of the trial is in the trail, made and revoked; the old one dies by the hand of the new one."""
    prepare(stage)
    old = managing_id(stage)
    assert stage.row("run", "managing")["outcome"] == "rotated"
    assert old in managing_keys(stage)
    intents = [event["operation"] for event in stage.rows("audit", "show") if event["kind"] == "intent"]
    before = ["CreateApiKey", "PutSecretValue", "VerifyApiKey"]
    assert intents == [*before, "CreateApiKey", "RevokeApiKey", "ProveKeyDead", "Promote", "RemoveLabel"]
    stage.rows("run", "managing")
    assert managing_keys(stage) == {managing_id(stage)}
    assert stage.row("rotate", SECRET_NAME)["outcome"] == "rotated"


def test_a_leaked_managing_key_is_contained_by_one_command(stage: Stage) -> None:
    """It is replaced, and the command connects with the new key to revoke the leaked one."""
    prepare(stage)
    leaked = managing_id(stage)
    row = stage.row("contain", "managing", "--reason", "in a log")
    assert row["contained"]
    assert row["key_ids"] == [leaked]
    assert managing_keys(stage) == {managing_id(stage)} != {leaked}
    assert not stage.describe(ADMIN_SECRET).get("Tags")


def test_its_own_secret_is_named_like_the_managing_keys(stage: Stage) -> None:
    """`manages` stands at one entry alone, with rights to manage keys, and with a token where it is looked for."""
    stage.edit(PERMISSIONS, f"{PERMISSIONS}\nmanages = true")
    stage.refused("spelled alike", code=USAGE, command=("config", "check"))
    stage.edit("manages = true", "manages = false")
    prepare(stage)
    stage.edit("permissions = { admin = true }", 'permissions = { admin = true }\nfields = { jwt = "TOKEN" }')
    stage.refused('from the field "JWT"', code=USAGE, command=("config", "check"))
