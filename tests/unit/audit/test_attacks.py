"""Attacks on a finished trail: each is found by what is said to find it, by both verifiers, and what is not is known."""

import copy
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from moto import mock_aws

from rotator.audit.verify import Terms, Verdict
from tests.unit.audit.attacks import ATTACKS, Attack, Found
from tests.unit.audit.builders import TickingClock, as_is
from tests.unit.audit.loot import OURS, Loot
from tests.unit.audit.media import InBucket
from tests.unit.audit.sites import PINNED, BucketSite, DirectorySite, Judgement, Site, judge, populate, record

SETTINGS = ("without signatures", "signed", "signed, and a head kept elsewhere")
FINDS = {
    Found.CHAIN: (True, True, True),
    Found.LEDGER: (True, True, True),
    Found.SEAL: (False, True, True),
    Found.HEAD: (False, False, True),
    Found.NOTHING: (False, False, False),
}
"""What finds an attack, and whether it is found in each setting."""


class Ground:
    """A kind of place, with the trail as it was finished, unsigned and signed."""

    def __init__(self, medium: str, make: Callable[[str], Site]) -> None:
        self.medium, self.site = medium, make("site")
        self.trails = [self._finished(make(f"signed-{signed}"), signed=signed) for signed in (False, True)]

    def _finished(self, site: Site, *, signed: bool) -> Loot:
        seal = OURS.seal if signed else as_is
        in_bucket = self.medium == "bucket"
        nothing = Loot(in_bucket, {}, [])
        site.put(nothing)
        populate(site, seal, "elsewhere-")
        other = Loot.of(site.files(), in_bucket=in_bucket)
        site.put(nothing)
        populate(site, seal)
        loot = Loot.of(site.files(), in_bucket=in_bucket)
        loot.other = other
        return loot

    def judged(self, do: Callable[[Loot], None], *, later: bool = False) -> list[Judgement]:
        """Return what both verifiers find in each setting after an attack."""
        found = []
        for seal, trail in zip((as_is, OURS.seal), self.trails, strict=True):
            loot = copy.deepcopy(trail)
            do(loot)
            self.site.put(loot)
            if later:
                with self.site.trail("later", seal) as after:
                    record(after, "uploader")
            head = trail.entry(-1).head
            terms = [Terms(signers=PINNED), Terms(signers=PINNED, expected=(head,))] if seal != as_is else [Terms()]
            found += [judge(self.site, one) for one in terms]
        return found


@pytest.fixture(scope="module")
def in_directory(tmp_path_factory: pytest.TempPathFactory) -> Ground:
    """Return directories to attack."""
    folder = tmp_path_factory.mktemp("attacked")
    return Ground("directory", lambda name: DirectorySite(folder / name, TickingClock()))


@pytest.fixture(scope="module")
def in_bucket(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """Yield a bucket to attack."""
    with mock_aws():
        medium = InBucket()
        yield Ground("bucket", lambda name: BucketSite(medium, tmp_path_factory.mktemp(name)))


@pytest.fixture(params=["directory", "bucket"])
def ground(request: pytest.FixtureRequest) -> Ground:
    """Return either."""
    found: Ground = request.getfixturevalue(f"in_{request.param}")
    return found


def test_untouched_trail_is_intact(ground: Ground) -> None:
    """Neither verifier finds anything, in any setting."""
    assert [(one.verdict, one.second) for one in ground.judged(lambda _: None)] == [(Verdict.INTACT, False)] * 3


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_attack_is_found_as_the_table_says(ground: Ground, attack: Attack) -> None:
    """By the chain, the ledger, the seal, the head or not at all, and by both verifiers alike."""
    found_by = attack.found_in(ground.medium)
    if found_by is Found.NO_SUCH:
        return
    judged = ground.judged(attack.do, later=attack.later)
    assert tuple(one.first for one in judged) == FINDS[found_by]
    if found_by in {Found.CHAIN, Found.LEDGER}:
        assert judged[0].by_ledger is (found_by is Found.LEDGER)
    assert [one.second for one in judged] == [one.first or attack.second_finds for one in judged]
    assert not [one.verdict for one in judged if not isinstance(one.verdict, Verdict)]
