"""Attacks on a finished trail: what finds each of them, and what nothing finds, by both verifiers."""

import base64
import copy
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st
from moto import mock_aws

from rotator.audit.ledger import Sealed, parse_entry
from rotator.audit.verify import Flaw, Terms, Verdict
from tests.unit.audit.attacks import ATTACKS, Attack, Found, table
from tests.unit.audit.builders import TickingClock, as_is
from tests.unit.audit.deeds import Deed
from tests.unit.audit.loot import LEDGER, OURS, Loot, opened
from tests.unit.audit.media import InBucket
from tests.unit.audit.sites import (
    PINNED,
    BucketSite,
    DirectorySite,
    Judgement,
    Site,
    VersionedSite,
    judge,
    populate,
    record,
)

PAGE = Path(__file__).parents[3] / "docs" / "audit.md"
SEALS: tuple[Sealed, Sealed] = (as_is, OURS.seal)
FINDS = {
    Found.VERSIONS: (True, True, True),
    Found.CHAIN: (True, True, True),
    Found.LEDGER: (True, True, True),
    Found.SEAL: (False, True, True),
    Found.HEAD: (False, False, True),
    Found.NOTHING: (False, False, False),
}
"""What finds an attack; and whether without signatures, with them, and with a head kept elsewhere, too."""
BY_VERSIONS = {Flaw.OVERWRITTEN, Flaw.DELETED}


class Ground:
    """A kind of place, with the trail as it was finished, unsigned and signed, each in a place of its own."""

    def __init__(self, medium: str, make: Callable[[str], Site]) -> None:
        self.in_bucket = medium != "directory"
        self.medium, self.site, self.sites = medium, make("any"), (make("unsigned"), make("signed"))
        self.trails = [self._finished(*pair) for pair in zip(self.sites, SEALS, strict=True)]

    def _finished(self, site: Site, seal: Sealed) -> Loot:
        populate(site, seal, "elsewhere-")
        other = Loot.of(site.files(), in_bucket=self.in_bucket)
        site.put(Loot(self.in_bucket, {}, []))
        populate(site, seal)
        loot = Loot.of(site.files(), in_bucket=self.in_bucket)
        loot.other = other
        site.keep()
        return loot

    def attacked(self, do: Deed, setting: int) -> Loot:
        """Return the trail after an attack: 0 is the unsigned one, 1 the signed one."""
        loot = copy.deepcopy(self.trails[setting])
        do(loot)
        return loot

    def judged(self, do: Deed, *, later: bool = False, settings: int = 3) -> list[Judgement]:
        """Return what both verifiers find after an attack, in each of the first settings."""
        for setting, (site, seal) in enumerate(zip(self.sites, SEALS, strict=True)):
            site.put(self.attacked(do, setting))
            if later:
                with site.trail("later", seal) as after:
                    record(after, "uploader")
        head = self.trails[1].entry(-1).head
        unsigned, signed = self.sites
        kinds = ((unsigned, Terms()), (signed, Terms(signers=PINNED)), (signed, Terms(None, PINNED, (head,))))
        return [judge(site, terms) for site, terms in kinds[:settings]]


@pytest.fixture(scope="module")
def in_directory(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Return directories to attack."""
    folder = tmp_path_factory.mktemp("attacked")
    return Ground("directory", lambda name: DirectorySite(folder / name, TickingClock()))


@pytest.fixture(scope="module")
def moto() -> Iterator[InBucket]:
    """Yield where buckets are made."""
    with mock_aws():
        yield InBucket()


@pytest.fixture(scope="module")
def in_bucket(moto: InBucket, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Return buckets to attack."""
    return Ground("bucket", lambda name: BucketSite(moto, tmp_path_factory.mktemp(name)))


@pytest.fixture(scope="module")
def in_versions(moto: InBucket, tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Return buckets to attack that keep versions."""
    return Ground("versions", lambda name: VersionedSite(moto, tmp_path_factory.mktemp(name)))


@pytest.fixture(params=["directory", "bucket", "versions"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """Return each of them."""
    found: Ground = request.getfixturevalue(f"in_{request.param}")
    return found


def test_untouched_trail_is_intact(ground: Ground) -> None:
    """Neither verifier finds anything, in any setting; a later process closed a run of it."""
    assert any(b'"recovered"' in line for lines in ground.trails[0].runs.values() for line in lines)
    assert [(one.verdict, one.second) for one in ground.judged(lambda _: None)] == [(Verdict.INTACT, False)] * 3


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_found_as_the_table_says(ground: Ground, attack: Attack) -> None:
    """By versions, chain, ledger, seal, head or not at all; and by the second verifier, which sees no versions."""
    found_by = attack.found_in(ground.medium)
    if found_by is Found.NO_SUCH:
        return
    # What is found without a head is found with one; a bucket is slow, so a directory is enough to show that.
    settings = 2 if ground.in_bucket and FINDS[found_by][0] else 3
    judged = ground.judged(attack.do, later=attack.later, settings=settings)
    found = [one.first for one in judged]
    # From a trail without seals, none can be taken.
    was_touched = ground.attacked(attack.do, 0) != ground.trails[0]
    assert found == [FINDS[found_by][0] and was_touched, *FINDS[found_by][1:settings]]
    if found_by in {Found.CHAIN, Found.LEDGER}:
        assert judged[0].by_ledger is (found_by is Found.LEDGER)
    assert [bool(one.flaws & BY_VERSIONS) for one in judged] == [found_by is Found.VERSIONS and it for it in found]
    if found_by is Found.VERSIONS and not attack.later:
        # What was there first is intact, so without a new key there is nothing else to find.
        keys = [trail.files().keys() for trail in (ground.trails[1], ground.attacked(attack.do, 1))]
        assert judged[1].flaws <= BY_VERSIONS or keys[1] - keys[0]
    seen_by_second = FINDS[attack.found_in("bucket" if ground.in_bucket else "directory")]
    assert [one.second for one in judged] == [*seen_by_second[:settings]]


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_that_is_said_to_add_changes_nothing_else(in_bucket: Ground, attack: Attack) -> None:
    """Each object stays as it was, or some do not."""
    if attack.found_in("bucket") is not Found.NO_SUCH:
        before, after = in_bucket.trails[1].files(), in_bucket.attacked(attack.do, 1).files()
        assert attack.adds is (before.items() <= after.items())


def test_table_in_the_documentation_is_that_of_the_attacks() -> None:
    """What docs/audit.md says is what is tested."""
    assert table() in PAGE.read_text(encoding="utf-8"), f"put this in docs/audit.md:\n{table()}"


def test_trail_of_racing_writers_is_intact(ground: Ground) -> None:
    """Several processes record at once, and add to the ledger in turn."""
    ground.site.put(Loot(ground.in_bucket, {}, []))
    trails = [ground.site.trail(name, OURS.seal) for name in ("p", "q", "r", "s")]
    with ThreadPoolExecutor(len(trails)) as pool:
        list(pool.map(lambda pair: record(pair[1], f"secret-{pair[0]}"), enumerate(trails * 3)))
    for trail in trails:
        trail.close()
    judged = judge(ground.site, Terms(signers=PINNED))
    assert (judged.verdict, judged.second) == (Verdict.INTACT, False)
    assert len(Loot.of(ground.site.files(), in_bucket=ground.in_bucket).ledger) == 12


def test_torn_write_that_was_repaired_is_intact(in_directory: Ground) -> None:
    """A process died while it wrote a line; the next one accounted for it, in a file and in the ledger."""
    trail = copy.deepcopy(in_directory.trails[1])
    name = trail.name(-1)
    trail.runs[opened(name)] = [*trail.runs.pop(name), b'{"torn']
    trail.ledger.append(b'{"torn, too')
    in_directory.site.put(trail)
    assert judge(in_directory.site).verdict is Verdict.UNFINISHED
    with in_directory.site.trail("later", OURS.seal) as later:
        record(later, "uploader")
    judged = judge(in_directory.site, Terms(signers=PINNED))
    assert (judged.verdict, judged.second) == (Verdict.INTACT, False)


@pytest.mark.slow
@hypothesis.settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.data())
def test_single_altered_byte_is_found(in_directory: Ground, data: st.DataObject) -> None:
    """In any file of the place, the ledger included; what base64 does not use of a seal means the same."""
    files = in_directory.trails[1].files()
    name = data.draw(st.sampled_from(sorted(files)))
    at = data.draw(st.integers(0, len(files[name]) - 1))
    changed = files[name][:at] + bytes([data.draw(st.integers(0, 255))]) + files[name][at + 1 :]
    in_directory.site.put(in_directory.trails[1])
    (in_directory.site.folder / name).write_bytes(changed)
    judged = judge(in_directory.site, Terms(signers=PINNED))
    same = _seals(changed) == _seals(files[name]) if name == LEDGER else changed == files[name]
    assert judged.first is not same
    assert judged.second is not same


def _seals(ledger: bytes) -> list[object]:
    """Return what the entries of a ledger say, with their seals as bytes; nothing can be compared with what is none."""
    entries = [parse_entry(line) for line in ledger.splitlines(keepends=True)]
    return [
        (entry.message, *map(_bytes, (entry.seal.public_key, entry.seal.signature)), entry.seal.algorithm)
        if entry and entry.seal
        else object()
        for entry in entries
    ]


def _bytes(text: str) -> object:
    try:
        return base64.b64decode(text, validate=True)
    except ValueError:
        return object()
