"""The tag on the secret finds what only a head that is kept elsewhere finds: see the table of docs/audit.md."""

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import pytest

from rotator.audit.signers import make_key
from tests.e2e.served_bucket import BUCKET, Served, served_bucket
from tests.e2e.stage import PERSON, Stage
from tests.unit.audit.attacks import ATTACKS, Found
from tests.unit.audit.loot import FORMER, RETIRED_AT, Loot

OURS, OTHER = "audit", "another"
"""Names of two places: the one that is attacked, and one whose trail is put there."""


class Medium(Protocol):
    """Where places are."""

    in_bucket: bool

    def option(self, place: str) -> str:
        """Return what the configuration says of a place."""

    def files(self, place: str) -> dict[str, bytes]:
        """Return what it holds."""

    def put(self, place: str, files: dict[str, bytes]) -> None:
        """Let it hold this alone."""


class Directories:
    """Directories beside the configuration."""

    in_bucket = False

    def __init__(self, top: Path) -> None:
        self.top = top

    def option(self, place: str) -> str:
        """Make the directory, and return what the configuration says of it."""
        (self.top / place).mkdir(mode=0o700, exist_ok=True)
        return f'directory = "{place}"'

    def files(self, place: str) -> dict[str, bytes]:
        """Return what it holds."""
        return {path.name: path.read_bytes() for path in (self.top / place).iterdir()}

    def put(self, place: str, files: dict[str, bytes]) -> None:
        """Let it hold this alone."""
        for path in (self.top / place).iterdir():
            path.unlink()
        for name, content in files.items():
            (self.top / place / name).write_bytes(content)


class Prefixes:
    """Prefixes of a bucket."""

    in_bucket = True

    def __init__(self, served: Served) -> None:
        self.served = served

    def option(self, place: str) -> str:
        """Return what the configuration says of a prefix."""
        return f's3 = "s3://{BUCKET}/{place}"'

    def files(self, place: str) -> dict[str, bytes]:
        """Return what it holds."""
        return {key.removeprefix(f"{place}/"): self.served.get(key) for key in self.served.keys(f"{place}/")}

    def put(self, place: str, files: dict[str, bytes]) -> None:
        """Let it hold this alone."""
        for key in self.served.keys(f"{place}/"):
            self.served.client.delete_object(Bucket=BUCKET, Key=key)
        for name, content in files.items():
            self.served.client.put_object(Bucket=BUCKET, Key=f"{place}/{name}", Body=content)


@pytest.fixture
def directories(stage: Stage) -> Medium:
    """Return the directories of a stage."""
    return Directories(stage.sandbox.config_path.parent)


@pytest.fixture
def prefixes(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> Iterator[Medium]:
    """Yield the prefixes of a bucket, where the variables lead to it."""
    stage.edit(f'endpoint_url = "{stage.sandbox.secrets_manager.endpoint_url}"', "")
    with served_bucket() as served:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", served.url)
        yield Prefixes(served)


@pytest.mark.parametrize("name", ["directories", pytest.param("prefixes", marks=pytest.mark.slow)])
def test_what_only_a_head_finds_is_found_by_the_tag(stage: Stage, request: pytest.FixtureRequest, name: str) -> None:
    """Each of these attacks leaves a trail that is intact by itself, and lacks the head that the tag names."""
    medium: Medium = request.getfixturevalue(name)
    key = stage.sandbox.config_path.parent / "key.pem"
    signers = [make_key(key), f"{FORMER.fingerprint} until {RETIRED_AT.isoformat()}"]

    def flaws(*against: str, code: int = 0) -> set[str]:
        return {found["flaw"] for found in stage.row("audit", "verify", *against, code=code)["findings"]}

    stage.edit('directory = "audit"', f'{medium.option(OURS)}\nsign = "file:{key}"\nsigners = {signers}')
    stage.rows("rotate", "uploader")
    stage.rows("rotate", "uploader")
    assert flaws("--against-aws") == set()
    stage.edit(medium.option(OURS), f'witness = "none"\n{medium.option(OTHER)}')
    stage.rows("rotate", "uploader")
    stage.edit(f'witness = "none"\n{medium.option(OTHER)}', medium.option(OURS))
    trail, trail.other = _loot(medium, OURS), _loot(medium, OTHER)
    for attack in ATTACKS:
        if attack.found is Found.HEAD:
            loot = copy.deepcopy(trail)
            attack.do(loot)
            medium.put(OURS, loot.files())
            if attack.later:
                stage.rows("rotate", "uploader")
            else:
                assert flaws() == set(), attack.name
            assert "not_reached" in flaws("--against-aws", code=PERSON), attack.name


def _loot(medium: Medium, place: str) -> Loot:
    return Loot.of(medium.files(place), in_bucket=medium.in_bucket)
