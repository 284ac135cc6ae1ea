"""What counts as proof that a key works, and that one is dead."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.engine.observer import Observer, Reader
from rotator.engine.proofs import Proofs, difference
from rotator.engine.run import Run
from rotator.model.credential import Credential, Sensitive
from rotator.model.errors import KeyNameError, KeyNotListedError, KeyRejectedError, KeyScopeError, KeyStillAliveError
from rotator.model.naming import version_id
from rotator.model.observed import AWSPREVIOUS
from rotator.model.payload import credential
from rotator.model.secret import Admin, Demand, Endpoints, Resources
from rotator.model.secret import Permissions as Scopes
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.switches import Delay, Switches
from tests.builders import AT_ONCE, a_spec
from tests.simulated.consumers import SimulatedConsumers
from tests.simulated.provider import SimulatedProvider
from tests.simulated.scene import Scene
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Operation, Process

FAST = a_spec(grace=AT_ONCE, verify_timeout=timedelta(seconds=5))


class Bench:
    """A prover in a scene."""

    def __init__(self, scene: Scene) -> None:
        """Observe the scene."""
        self.scene = scene
        self.process = Process(scene.systems)
        provider, store = SimulatedProvider(self.process), SimulatedStore(self.process)
        reader = Reader(scene.spec, scene.arn, store, self.process)
        run = Run(scene.systems.now(), "n" * 10, Demand.DUE, self.process, self.process.now)
        self.prover = Proofs(scene.spec, provider, reader, run)
        labels = store.describe(scene.arn, self.process)
        self.seen = Observer(scene.family, reader, provider, SimulatedConsumers(self.process), run).look(
            labels, lambda *_: frozenset(), None
        )
        self.process.calls.clear()


def held(key: KeyRecord) -> Credential:
    """Return the credential of a key."""
    return credential(Sensitive(key.jwt), key_id=key.key, secret=None)


def test_a_working_key_is_asked_about_once() -> None:
    """A key that this run has seen working is not asked about again."""
    bench = Bench(Scene.own(FAST))
    key = bench.scene.seed("x")
    bench.prover.working(held(key))
    bench.prover.working(held(key))
    assert bench.process.calls == [Operation.TEST_AUTHENTICATION]


def test_a_scopeless_answer_proves_a_key_of_resources() -> None:
    """A key with v3 resources only may be refused by testAuthentication for want of legacy scopes."""
    scene = Scene.own(FAST, Switches(resources_only_authenticates=False))
    Bench(scene).prover.working(held(scene.seed("x")))


def test_a_scopeless_answer_does_not_prove_a_key_of_endpoints() -> None:
    """A key with legacy scopes must be accepted outright."""
    spec = a_spec(permissions=Endpoints(frozenset({"pinning.unpin"})), verify_timeout=timedelta(seconds=5))
    scene = Scene.own(spec, Switches(resources_only_authenticates=False))
    with pytest.raises(KeyRejectedError, match="after 5 s"):
        Bench(scene).prover.working(held(scene.seed("x")))


def test_a_scopeless_answer_does_not_prove_a_death() -> None:
    """Whoever is refused for want of a scope is alive."""
    scene = Scene.own(FAST)
    old = scene.current_key() or ""
    scene.edit(scene.seed("new"))
    bench = Bench(scene)
    scene.systems.pinata.switches = Switches(resources_only_authenticates=False, revocation=Delay(60))
    scene.revoke(old)
    with pytest.raises(KeyStillAliveError, match="its token is recognised"):
        bench.prover.dead(old, bench.seen)


def test_death_of_a_key_that_is_not_listed() -> None:
    """Some lists show active keys only: then the token alone is the witness."""
    scene = Scene.own(FAST)
    old = scene.current_key() or ""
    scene.edit(scene.seed("new"))
    bench = Bench(scene)
    del scene.systems.pinata.keys[old]
    assert bench.prover.dead(old, bench.seen).startswith("no longer listed, its token is refused")


def test_death_of_a_key_that_was_never_stored() -> None:
    """Of a lost key nobody has the token: then the list alone is the witness."""
    scene = Scene.own(FAST)
    orphan = scene.seed(scene.family.key_name(version_id(2, scene.systems.now(), "x" * 10)))
    bench = Bench(scene)
    scene.revoke(orphan.key)
    said = bench.prover.dead(orphan.key, bench.seen)
    assert said.startswith("listed as revoked, its token is in no version to ask with")
    assert Operation.TEST_AUTHENTICATION not in bench.process.calls


def test_token_is_found_by_the_name_of_its_version() -> None:
    """The token of a key of ours is in the version it is named for, as long as that is labelled."""
    scene = Scene.own(FAST)
    lost = version_id(2, scene.systems.now(), "x" * 10)
    key = scene.seed(scene.family.key_name(lost))
    scene.put_raw(scene.value(key), lost, "custom")
    bench = Bench(scene)
    scene.revoke(key.key)
    assert "its token is refused" in bench.prover.dead(key.key, bench.seen)


def test_another_token_in_the_previous_version_is_no_witness() -> None:
    """The previous version may hold another key by now."""
    scene = Scene.own(FAST)
    orphan = scene.seed(scene.family.key_name(version_id(2, scene.systems.now(), "x" * 10)))
    scene.edit(scene.seed("new"))
    bench = Bench(scene)
    assert AWSPREVIOUS in scene.labels()
    scene.revoke(orphan.key)
    assert "in no version" in bench.prover.dead(orphan.key, bench.seen)


def test_time_to_death_runs_from_the_revocation() -> None:
    """The proof says within what time the key was dead."""
    scene = Scene.own(a_spec(grace=AT_ONCE), Switches(revocation=Delay(8)))
    old = scene.current_key() or ""
    scene.edit(scene.seed("new"))
    bench = Bench(scene)
    scene.revoke(old)
    bench.prover.revoked(old)
    said = bench.prover.dead(old, bench.seen)
    seconds = float(said.rpartition("dead within ")[2].removesuffix(" s"))
    assert 8 <= seconds < 12


def test_death_in_an_earlier_run_has_no_time() -> None:
    """A run that did not revoke the key itself has no figure for its death."""
    scene = Scene.own(FAST)
    old = scene.current_key() or ""
    scene.edit(scene.seed("new"))
    bench = Bench(scene)
    scene.revoke(old)
    assert "dead within" not in bench.prover.dead(old, bench.seen)


def test_scopes_are_compared_with_what_was_listed_before() -> None:
    """Verifying a pending key lists nothing once more."""
    scene = Scene.own(FAST)
    bench = Bench(scene)
    key = scene.systems.pinata.keys[scene.current_key() or ""]
    bench.prover.scopes(held(key), bench.seen)
    assert bench.process.calls == []
    other = replace(bench.seen.keys[0], scopes=Resources(frozenset({"org:write"})))
    with pytest.raises(KeyScopeError, match="also has org:write"):
        bench.prover.scopes(held(key), replace(bench.seen, keys=(other,)))


def test_an_admin_key_is_wider_than_anything() -> None:
    """A listed admin key is refused, however it came about."""
    scene = Scene.own(a_spec())
    name = scene.family.key_name(version_id(2, scene.systems.now(), "x" * 10))
    key = scene.systems.pinata.seed(name, Permissions(admin=True))
    with pytest.raises(KeyScopeError, match="it is an admin key"):
        Bench(scene).prover.listed(held(key), name)


def test_a_key_under_another_name_is_told_by_that_name() -> None:
    """A name that Pinata altered is none of ours, and no later run would find it."""
    scene = Scene.own(a_spec())
    name = scene.family.key_name(version_id(2, scene.systems.now(), "x" * 10))
    for altered in (name[:64], name.upper(), f"{name} "):
        key = scene.seed(altered)
        with pytest.raises(KeyNameError, match="not by the name"):
            Bench(scene).prover.listed(held(key), name)


def test_a_key_that_is_not_listed_is_told() -> None:
    """A list that does not show a new key would not show it to a later run either."""
    scene = Scene.own(FAST)
    name = scene.family.key_name(version_id(2, scene.systems.now(), "x" * 10))
    key = scene.seed(name, age_s=0)
    scene.systems.pinata.switches = Switches(listing=Delay(3600))
    with pytest.raises(KeyNotListedError, match="does not show it after 5 s"):
        Bench(scene).prover.listed(held(key), name)


WRITE = Resources(frozenset({"org:files:write"}))
PIN = Endpoints(frozenset({"pinning.pinFileToIPFS"}))


@pytest.mark.parametrize(
    ("requested", "echoed", "expected"),
    [
        pytest.param(WRITE, WRITE, None, id="the same"),
        pytest.param(PIN, PIN, None, id="the same endpoints"),
        pytest.param(Admin(), Admin(), None, id="both admin"),
        pytest.param(WRITE, None, None, id="no echo"),
        pytest.param(Admin(), None, None, id="no echo of an admin key"),
        pytest.param(WRITE, Admin(), "it is an admin key", id="an admin key"),
        pytest.param(PIN, Admin(), "it is an admin key", id="an admin key instead of endpoints"),
        pytest.param(Admin(), WRITE, None, id="an admin key, echoed by its resources"),
        pytest.param(WRITE, PIN, None, id="two kinds"),
        pytest.param(
            WRITE, Resources(frozenset({"org:files:write", "org:files:read"})), None, id="write includes read"
        ),
        pytest.param(
            Resources(frozenset({"org:files:read"})),
            WRITE,
            "it also has org:files:write and lacks org:files:read",
            id="read does not include write",
        ),
        pytest.param(
            WRITE, Resources(frozenset({"org:files:write", "org:write"})), "it also has org:write", id="wider"
        ),
        pytest.param(WRITE, Resources(frozenset()), "it lacks org:files:write", id="narrower"),
        pytest.param(
            PIN,
            Endpoints(PIN.names | {"pinning.unpin", "data.pinList"}),
            "it also has data.pinList, pinning.unpin",
            id="wider endpoints, in order",
        ),
    ],
)
def test_difference(requested: Scopes, echoed: Scopes | None, expected: str | None) -> None:
    """A difference is told where both sides are of one kind; an admin key is wider than anything."""
    assert difference(requested, echoed) == expected
