"""Who is found: by a look at each, or by a list."""

import pytest

from rotator.fleet.lookup import resolve
from rotator.model.errors import ConfigError, SecretNotFoundError, StoreUnavailableError
from rotator.model.observed import SecretDescription
from tests.builders import a_spec
from tests.simulated.store import SimulatedStore
from tests.simulated.world import Fault, Operation, Process, arn_of, on
from tests.unit.fleet.many import fleet, store_in


def test_few_secrets_are_described() -> None:
    """Two secrets are looked at one by one."""
    scene, specs = fleet(2)
    store = store_in(scene)
    targets = resolve(specs, store, store.process).targets
    assert [(t.spec, t.description.arn) for t in targets] == [(s, arn_of(s.secret_id)) for s in specs]
    assert store.process.calls == [Operation.DESCRIBE] * 2


def test_many_secrets_are_listed() -> None:
    """Three secrets cost one page of ListSecrets."""
    scene, specs = fleet(3)
    store = store_in(scene)
    assert [t.description.name for t in resolve(specs, store, store.process).targets] == ["s0", "s1", "s2"]
    assert store.process.calls == [Operation.LIST_SECRETS]


def test_list_that_is_not_allowed_is_not_asked_for() -> None:
    """Without the right to ListSecrets many secrets are looked at one by one, too."""
    scene, specs = fleet(3)
    store = store_in(scene)
    assert len(resolve(specs, store, store.process, None).targets) == 3
    assert store.process.calls == [Operation.DESCRIBE] * 3


def test_secret_that_the_list_does_not_show_is_described() -> None:
    """A list may lag: what it leaves out is looked at by itself."""

    class Lagging(SimulatedStore):
        def survey(self, secret_ids: tuple[str, ...], deadline: object) -> dict[str, SecretDescription]:
            found = SimulatedStore.survey(self, secret_ids, deadline)  # type: ignore[arg-type]  # passed on
            return {k: v for k, v in found.items() if k != "s1"}

    scene, specs = fleet(3)
    store = Lagging(Process(scene.systems))
    assert len(resolve(specs, store, store.process).targets) == 3
    assert store.process.calls == [Operation.LIST_SECRETS, Operation.DESCRIBE]


def test_policy_without_the_right_to_list_is_enough() -> None:
    """ListSecrets cannot be limited to some secrets; without it each is described."""
    scene, specs = fleet(3)
    store = store_in(scene, on(Operation.LIST_SECRETS, Fault.DENIED))
    assert len(resolve(specs, store, store.process).targets) == 3
    assert store.process.calls.count(Operation.DESCRIBE) == 3


def test_list_that_fails_otherwise_stops_the_fleet() -> None:
    """An outage is no missing right."""
    scene, specs = fleet(3)
    store = store_in(scene, on(Operation.LIST_SECRETS, Fault.LOST))
    with pytest.raises(StoreUnavailableError):
        resolve(specs, store, store.process)


def test_missing_secrets_stop_no_other() -> None:
    """What cannot be found is told with its reason; the rest of the fleet goes on."""
    scene, specs = fleet(2)
    missing = (a_spec(name="gone", secret_id="x"), a_spec(name="lost", secret_id="y"))
    store = store_in(scene)
    found = resolve((*specs, *missing), store, store.process)
    assert [target.spec.name for target in found.targets] == ["n0", "n1"]
    assert [(spec.name, type(error)) for spec, error in found.lost] == [
        ("gone", SecretNotFoundError),
        ("lost", SecretNotFoundError),
    ]


def test_two_entries_for_one_secret_are_refused() -> None:
    """A name and an ARN may be one secret."""
    scene, specs = fleet(1)
    twin = a_spec(name="twin", secret_id=arn_of("s0"))
    store = store_in(scene)
    with pytest.raises(ConfigError, match="`n0` and `twin` are one secret"):
        resolve((*specs, twin), store, store.process)
