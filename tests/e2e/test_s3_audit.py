"""The audit trail in S3: the real command line, against a bucket served on loopback."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from rotator.audit.directory.files import audit_files
from tests.e2e.served_bucket import BUCKET, served_bucket
from tests.e2e.stage import AUDIT, PERSON, USAGE, Stage

pytestmark = pytest.mark.slow  # it starts many processes

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ELSEWHERE = "https://s3.example.com"


@dataclass
class Trail:
    """A stage whose audit trail goes to a bucket."""

    stage: Stage
    client: "S3Client"
    env: dict[str, str | None]

    def all_keys(self) -> list[str]:
        """Return the key of every event."""
        listed = self.client.list_objects_v2(Bucket=BUCKET)
        return [found["Key"] for found in listed.get("Contents", []) if "/.ledger/" not in found["Key"]]

    def said(self, *args: str, code: int = 0) -> str:
        """Return what a command prints, once its exit code is as expected."""
        done = self.stage.rotator(*args, env=self.env)
        text = self.stage.said(done)
        assert done.returncode == code, text
        return text


@pytest.fixture
def trail(stage: Stage) -> Iterator[Trail]:
    """Yield a stage with `[audit] s3` alone."""
    stage.edit('directory = "audit"', f's3 = "s3://{BUCKET}/keys/prod"')
    # What the file names is for all of AWS; the environment tells the two systems apart.
    stage.edit(f'endpoint_url = "{stage.sandbox.secrets_manager.endpoint_url}"', "")
    with served_bucket() as served:
        yield Trail(stage, served.client, {"AWS_ENDPOINT_URL_S3": served.url})


@pytest.mark.slow
def test_a_whole_life_is_in_the_bucket(trail: Trail) -> None:
    """A rotation without any disk: recorded, shown, verified, and used by `status`."""
    trail.said("run")
    trail.said("rotate", "uploader")
    trail.said("run")
    keys = trail.all_keys()
    assert all(key.startswith("keys/prod/uploader/") for key in keys)
    assert list(trail.stage.sandbox.audit_directory.iterdir()) == []
    verified = trail.said("audit", "verify")
    assert f"events of 2 runs in {len(keys)} objects of s3://{BUCKET}/keys/prod/" in verified
    assert ": intact" in verified
    assert '"CreateApiKey"' in trail.said("audit", "show", "--json")
    assert "RevokeApiKey" in trail.said("history", "uploader", "--all")
    assert "fine rotated" in trail.said("status")


def test_a_bucket_that_takes_nothing_stops_everything(trail: Trail) -> None:
    """No record, no effect; with the bucket back, the next run does the work."""
    trail.client.delete_bucket(Bucket=BUCKET)
    trail.stage.refused("found no such bucket", "[audit] s3", code=AUDIT, env=trail.env)
    trail.client.create_bucket(Bucket=BUCKET)
    assert "rotated" in trail.said("run")


def test_a_deleted_object_is_found(trail: Trail) -> None:
    """The gap is told, by the name of the object after it."""
    trail.said("run")
    keys = trail.all_keys()
    trail.client.delete_object(Bucket=BUCKET, Key=keys[4])
    assert keys[5] in trail.said("audit", "verify", code=PERSON)


def test_versions_tell_what_was_deleted_and_overwritten(trail: Trail) -> None:
    """In a bucket that keeps versions, each object that was touched is named, and the run it belongs to still told."""
    trail.client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
    trail.said("run")
    said = trail.said("audit", "verify")
    assert ": intact" in said
    assert "versions" not in said
    keys = trail.all_keys()
    trail.client.delete_object(Bucket=BUCKET, Key=keys[4])
    trail.client.put_object(Bucket=BUCKET, Key=keys[6], Body=b"{}\n")
    said = trail.said("audit", "verify", code=PERSON)
    assert f"s3://{BUCKET}/{keys[4]}: an object was deleted" in said
    assert f"s3://{BUCKET}/{keys[6]}: an object was overwritten" in said
    assert said.count("s3://") == 3  # with the summary: there is no other flaw


def test_an_endpoint_elsewhere_is_refused(trail: Trail) -> None:
    """A variable cannot send the trail to another machine."""
    for command in (("run",), ("audit", "verify"), ("history", "uploader")):
        trail.stage.refused(
            "AWS_ENDPOINT_URL_S3 is set",
            "loopback only",
            code=USAGE,
            command=command,
            env={"AWS_ENDPOINT_URL_S3": ELSEWHERE},
        )


def test_both_places_are_verified(trail: Trail) -> None:
    """With a directory beside it, each has the whole trail and a verdict of its own."""
    directory = trail.stage.sandbox.audit_directory
    trail.stage.edit("[audit]", f'[audit]\ndirectory = "{directory}"')
    trail.said("run")
    (path,) = audit_files(directory)
    assert path.read_bytes() == b"".join(
        trail.client.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in trail.all_keys()
    )
    assert trail.said("audit", "verify").count(": intact") == 2
    trail.client.delete_object(Bucket=BUCKET, Key=trail.all_keys()[4])
    said = trail.said("audit", "verify", code=PERSON)
    assert said.count(": intact") == 1
    assert said.count("BROKEN") == 1


def test_a_bucket_that_is_down_beside_a_directory_is_told(trail: Trail) -> None:
    """The rotation goes on, and the log says that one place of the trail does not work."""
    directory = trail.stage.sandbox.audit_directory
    trail.stage.edit("[audit]", f'[audit]\ndirectory = "{directory}"')
    trail.client.delete_bucket(Bucket=BUCKET)
    said = trail.said("run")
    assert "rotated" in said
    assert "audit_degraded" in said
    trail.client.create_bucket(Bucket=BUCKET)
