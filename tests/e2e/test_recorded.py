"""What earlier versions left is taken up: trails verify and are shown byte for byte, and both systems converge."""

import json
import shutil
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer

from rotator.cli import run as rotator
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.running import ACCOUNT, REGION
from rotator.sandbox.secrets_manager.state import Secret, Version
from rotator.sandbox.secrets_manager.store import Scope
from tests.e2e.stage import Stage
from tests.unit.audit.sites import second_verifier

RECORDED = Path(__file__).parents[1] / "recorded" / "v0.1.0"
BUCKET = "audit-trail"
SHOWN = {
    "show.jsonl": ("audit", "show", "--json"),
    "show.txt": ("audit", "show"),
    "history.txt": ("history", "uploader", "--all"),
    "verify.jsonl": ("audit", "verify", "--json"),
    "verify.txt": ("audit", "verify"),
}
"""What each recorded output was printed by."""


def copy_of_the_trail(stage: Stage, *folders: str) -> None:
    """Put recorded audit files where the sandbox's configuration looks for them."""
    for folder in folders:
        for file in (RECORDED / folder).iterdir():
            copy = stage.sandbox.audit_directory / file.name
            shutil.copyfile(file, copy)
            copy.chmod(0o600)


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Yield the URL of a server with the recorded bucket."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    client = boto3.client("s3", region_name="us-east-1", endpoint_url=url)
    client.create_bucket(Bucket=BUCKET)
    client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    objects: dict[str, str] = json.loads((RECORDED / "bucket.json").read_text())
    for key, line in objects.items():
        client.put_object(Bucket=BUCKET, Key=key, Body=line.encode())
    yield url
    for found in client.list_object_versions(Bucket=BUCKET)["Versions"]:
        client.delete_object(Bucket=BUCKET, Key=found["Key"], VersionId=found["VersionId"])
    client.delete_bucket(Bucket=BUCKET)
    server.stop()


@pytest.mark.parametrize("output", SHOWN)
def test_a_recorded_directory_is_shown_as_it_was(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """A trail that version 0.1.0 wrote to a directory verifies, and every output is the recorded one."""
    copy_of_the_trail(stage, "directory")
    monkeypatch.setenv("ROTATOR_CONFIG", str(stage.sandbox.config_path))
    assert rotator([*SHOWN[output]]) == 0
    printed = capsys.readouterr().out.replace(str(stage.sandbox.audit_directory), "DIRECTORY")
    assert printed == (RECORDED / f"directory.{output}").read_text()


@pytest.mark.parametrize("output", SHOWN)
def test_a_recorded_bucket_is_shown_as_it_was(
    stage: Stage, s3: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], output: str
) -> None:
    """A trail that version 0.1.0 wrote to a bucket verifies, and every output is the recorded one."""
    stage.edit('directory = "audit"', f's3 = "s3://{BUCKET}/keys/prod"')
    stage.edit(f'endpoint_url = "{stage.sandbox.secrets_manager.endpoint_url}"', "")
    for name, value in {**stage.sandbox.environment, "AWS_ENDPOINT_URL_S3": s3}.items():
        monkeypatch.setenv(name, value)
    assert rotator([*SHOWN[output]]) == 0
    assert capsys.readouterr().out == (RECORDED / f"bucket.{output}").read_text()


@pytest.mark.parametrize("left", ["lost_key", "pending"])
def test_what_a_killed_run_left_is_taken_up(stage: Stage, left: str) -> None:
    """One live key is left in each secret, its trail is closed and verifies, and the next run writes nothing."""
    stage.sandbox.create_secret("prod/pinata/reader")
    stage.add_secret("reader", "prod/pinata/reader")
    restore(stage, json.loads((RECORDED / f"{left}.json").read_text()))
    copy_of_the_trail(stage, "directory", "left")

    rows = {row["secret"]: row for row in stage.rows("run")}

    assert {name: row["outcome"] for name, row in rows.items()} == {"uploader": "rotated", "reader": "up_to_date"}
    current = {json.loads(stage.text(f"prod/pinata/{name}"))["pinata_api_key"] for name in rows}
    assert set(stage.live_keys()) == current
    assert all("AWSPENDING" not in stage.labels(f"prod/pinata/{name}") for name in rows)
    (verified,) = stage.rows("audit", "verify")
    assert (verified["verdict"], verified["runs"]) == ("intact", 14)
    before = stage.writes()
    assert {row["outcome"] for row in stage.rows("run")} == {"up_to_date"}
    assert stage.writes() == before


def restore(stage: Stage, recorded: dict[str, Any]) -> None:
    """Put recorded keys and secrets into the sandbox, as if they had been recorded a moment ago."""
    later_s = time.time() - max(key["created_at"] for key in recorded["keys"]) - 1

    def moved(moment: float | None) -> float | None:
        return None if moment is None else moment + later_s

    with stage.site.lock:
        stage.site.world.keys = {
            key["key"]: KeyRecord(
                **{
                    **key,
                    **{name: moved(key[name]) for name in key if name.endswith("_at")},
                    "permissions": permissions(key["permissions"]),
                }
            )
            for key in recorded["keys"]
        }
    store = stage.sandbox.secrets_manager.secrets._stores[Scope(ACCOUNT, REGION)]
    for row in recorded["secrets"]:
        entry = store.find(row["name"], time.time())
        assert entry is not None
        assert entry.arn == row["arn"]
        entry.history = deque([restored(entry.latest, row, later_s)])


def restored(secret: Secret, row: dict[str, Any], later_s: float) -> Secret:
    """Return a secret with the versions and labels that were recorded."""
    return replace(
        secret,
        last_changed=row["last_changed"] + later_s,
        versions={
            version["version_id"]: Version(version["created_at"] + later_s, version["value"])
            for version in row["versions"]
        },
        labels={label: version["version_id"] for version in row["versions"] for label in version["labels"]},
    )


def permissions(recorded: dict[str, Any]) -> Permissions:
    """Return the permissions of a key."""
    return Permissions(
        admin=recorded["admin"], endpoints=frozenset(recorded["endpoints"]), resources=tuple(recorded["resources"])
    )


def test_the_second_verifier_takes_what_earlier_versions_wrote(tmp_path: Path) -> None:
    """A directory, a bucket as `aws s3 sync` copies it, and what a killed run left once it is closed."""
    objects: dict[str, str] = json.loads((RECORDED / "bucket.json").read_text())
    for key, line in objects.items():
        path = tmp_path / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line)
    for folder in (RECORDED / "directory", tmp_path / "keys" / "prod"):
        assert second_verifier(str(folder)) == 0
