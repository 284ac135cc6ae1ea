"""The places that are attacked, a directory and two kinds of bucket, and how both verifiers judge what is there."""

import importlib.util
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from datetime import timedelta
from io import StringIO
from pathlib import Path
from types import ModuleType
from typing import Protocol

from rotator.audit.bucket.destination import BucketDestination
from rotator.audit.bucket.ledger import BucketLedger
from rotator.audit.bucket.objects import AuditBucket, ObjectVersion
from rotator.audit.bucket.source import BucketSource
from rotator.audit.directory.destination import DirectoryDestination
from rotator.audit.directory.source import DirectorySource
from rotator.audit.ledger import Sealed
from rotator.audit.sources import Source
from rotator.audit.trail import AuditTrail
from rotator.audit.verify import ANY_TERMS, Flaw, Terms, Verdict
from rotator.model.errors import RotatorError
from rotator.model.events import Event
from rotator.model.plan import OutcomeKind
from rotator.model.signing import PinnedSigner
from tests.unit.audit.builders import ARN, WRITER, RunIds, TickingClock, an_end, an_intent
from tests.unit.audit.loot import FORMER, LEDGER, OURS, RETIRED_AT, Loot, short_rotation
from tests.unit.audit.media import PREFIX, InBucket

SCRIPT = Path(__file__).parents[3] / "docs" / "verify_trail.py"
LATER = timedelta(hours=2)
"""After a run in a bucket counts as dead."""
PINNED = (PinnedSigner(OURS.fingerprint), PinnedSigner(FORMER.fingerprint, RETIRED_AT))


class Site(Protocol):
    """A place on a medium."""

    clock: TickingClock
    folder: Path
    """Where the second verifier finds it."""

    def trail(self, ids: str, seal: Sealed) -> AuditTrail:
        """Return the audit log of a process that records here."""

    def source(self) -> Source:
        """Return what rotator verifies."""

    def files(self) -> dict[str, bytes]:
        """Return what is in each file or object."""

    def put(self, loot: Loot) -> None:
        """Let it hold this alone."""

    def keep(self) -> None:
        """Let what is there now be what is attacked from now on."""


class DirectorySite:
    """An audit directory."""

    def __init__(self, folder: Path, clock: TickingClock) -> None:
        self.folder, self.clock = folder, clock
        folder.mkdir(mode=0o700)

    def trail(self, ids: str, seal: Sealed) -> AuditTrail:
        """Return the audit log of a process that records here."""
        new_id = RunIds(ids)
        destination = DirectoryDestination(self.folder, WRITER, self.clock, new_id, seal=seal)
        return AuditTrail([destination], WRITER, clock=self.clock, new_id=new_id)

    def source(self) -> Source:
        """Return what rotator verifies."""
        return DirectorySource(self.folder)

    def files(self) -> dict[str, bytes]:
        """Return what is in each file."""
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}

    def put(self, loot: Loot) -> None:
        """Let it hold this alone."""
        for path in self.folder.iterdir():
            path.unlink()
        for name, content in loot.files().items():
            (self.folder / name).write_bytes(content)
        for name, target in loot.links.items():
            (self.folder / name).symlink_to(self.folder / target)

    def keep(self) -> None:
        """Do nothing: whoever can write there leaves no trace of what was before."""


class BucketSite:
    """A bucket, and a copy of it in a folder."""

    def __init__(self, medium: InBucket, folder: Path) -> None:
        self.folder, self.clock = folder, medium.clock
        # Each has its own: a listing takes as long as there are objects in all of the bucket.
        self._bucket = AuditBucket(medium.client, folder.name, PREFIX)
        medium.client.create_bucket(Bucket=folder.name)
        self._there: dict[str, bytes] = {}
        self._is_known = False

    def trail(self, ids: str, seal: Sealed) -> AuditTrail:
        """Return the audit log of a process that records here, long after what is there."""
        self.clock.now += LATER
        self._is_known = False
        ledger = BucketLedger(self._bucket, RunIds(f"{ids}-id"), seal)
        destination = BucketDestination(self._bucket, WRITER, self.clock, ledger)
        return AuditTrail([destination], WRITER, clock=self.clock, new_id=RunIds(ids))

    def source(self) -> Source:
        """Return what rotator verifies."""
        self.clock.now += LATER
        self.files()
        return BucketSource(self._bucket, self.clock)

    def files(self) -> dict[str, bytes]:
        """Return what is in each object; it is in the folder then, too."""
        if not self._is_known:
            keys = {found.key for page in self._bucket.pages("") for found in page}
            for name in keys - self._there.keys():
                self._keep(name, self._bucket.get(name) or b"")
            self._is_known = True
        return dict(self._there)

    def put(self, loot: Loot) -> None:
        """Let it hold this alone."""
        wanted, there = loot.files(), self.files()
        for name in there.keys() - wanted.keys():
            self._bucket.client.delete_object(Bucket=self._bucket.name, Key=PREFIX + name)
            self._lose(name)
        for name, content in wanted.items():
            if there.get(name) != content:
                self._bucket.client.put_object(Bucket=self._bucket.name, Key=PREFIX + name, Body=content)
                self._keep(name, content)

    def keep(self) -> None:
        """Do nothing: whoever can write and delete there leaves no trace of what was before."""

    def _keep(self, name: str, content: bytes) -> None:
        self._there[name] = content
        (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / name).write_bytes(content)

    def _lose(self, name: str) -> None:
        self._there.pop(name, None)
        (self.folder / name).unlink(missing_ok=True)


class VersionedSite(BucketSite):
    """A bucket that keeps versions, where an attacker can add versions and delete markers, and take none away."""

    def __init__(self, medium: InBucket, folder: Path) -> None:
        super().__init__(medium, folder)
        medium.client.put_bucket_versioning(Bucket=folder.name, VersioningConfiguration={"Status": "Enabled"})
        self._first: dict[str, bytes] = {}
        self._kept: set[str] = set()
        """The ids of its versions."""

    def put(self, loot: Loot) -> None:
        """Undo what was done since `keep`; then let it hold this, over what stays below."""
        for one in self._versions():
            if one.version_id not in self._kept:
                self._bucket.client.delete_object(
                    Bucket=self._bucket.name, Key=PREFIX + one.key, VersionId=one.version_id
                )
                if one.key in self._first:
                    self._keep(one.key, self._first[one.key])
                else:
                    self._lose(one.key)
        self._is_known = True
        super().put(loot)

    def keep(self) -> None:
        """Let what is there now stay below whatever is put there."""
        self._first, self._kept = self.files(), {one.version_id for one in self._versions()}

    def _versions(self) -> list[ObjectVersion]:
        return [one for page in self._bucket.version_pages("") for one in page]


def record(trail: AuditTrail, secret: str, *events: Event) -> None:
    """Record a run of a secret."""
    run = trail.begin(secret, ARN)
    for event in events or short_rotation():
        run.record(event)


def populate(site: Site, seal: Sealed, prefix: str = "") -> None:
    """Let several processes record runs of several secrets; one dies, and the next one closes its run."""
    with site.trail(f"{prefix}a", seal) as trail:
        record(trail, "uploader")
        record(trail, "reader")
        record(trail, "uploader", an_end(OutcomeKind.UP_TO_DATE))
    for name, secret in (("b", "uploader"), ("c", "reader")):
        with site.trail(f"{prefix}{name}", seal) as trail:
            record(trail, secret)
    with site.trail(f"{prefix}d", seal) as trail:
        record(trail, "uploader", an_intent())
    with site.trail(f"{prefix}e", seal) as trail:
        record(trail, "uploader")
    with site.trail(f"{prefix}f", seal) as trail:
        record(trail, "reader")


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a verifier finds: rotator's verdict, where, and whether the second one found something."""

    verdict: Verdict
    by_ledger: bool
    """Whether every finding is about the ledger, or about what it lacks, or what a crash explains."""
    second: bool
    flaws: frozenset[Flaw] = frozenset()

    @property
    def first(self) -> bool:
        """Whether rotator found something."""
        return self.verdict is not Verdict.INTACT


def judge(site: Site, terms: Terms = ANY_TERMS) -> Judgement:
    """Let both verifiers judge a place; an error that rotator reports counts as found."""
    source = site.source()
    options = [*terms.expected]
    for pinned in terms.signers:
        until = f" until {pinned.until.isoformat()}" if pinned.until else ""
        options.append(f"{pinned.fingerprint}{until}")
    with redirect_stdout(StringIO()):
        second = bool(second_verifier(str(site.folder), *options))
    try:
        report = source.verify(terms)
    except RotatorError:
        return Judgement(Verdict.BROKEN, by_ledger=True, second=second)
    explained = {Flaw.UNFINISHED, Flaw.UNLISTED}
    by_ledger = all(LEDGER in one.file or one.flaw in explained for one in report.findings)
    return Judgement(report.verdict, by_ledger, second, frozenset(one.flaw for one in report.findings))


def _loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("verify_trail", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


second_verifier: Callable[..., int] = _loaded().main
