"""Whose a key is, where the command line cannot easily be brought."""

from dataclasses import replace

from rotator.fleet.keys import Owner, Values, owned
from rotator.fleet.lookup import Resolved, Target
from rotator.model.credential import Sensitive
from rotator.model.errors import SecretNotFoundError, StoreUnavailableError
from rotator.model.naming import KeyFamily
from rotator.model.observed import AWSCURRENT, REPLACED_PREFIX, KeyState, ProviderKey, SecretDescription
from tests.builders import ARN, FAMILY, NATIVE_ID, NOW, a_key, a_spec, a_version, own_id

NOTHING = Values({"uploader": ()}, {})


def _found(*labels: str, version: str | int = 2) -> Resolved:
    versions = (a_version(version, AWSCURRENT, *labels),)
    description = SecretDescription(ARN, "prod/pinata/uploader", NOW, None, versions)
    return Resolved((Target(a_spec(), description),), ())


def _owner(key: ProviderKey, found: Resolved, values: Values = NOTHING) -> tuple[Owner, str | None]:
    (row,) = owned([key], "rotator", None, found, values)
    return row.owner, row.secret


def test_a_key_is_of_a_version_that_it_is_named_for() -> None:
    """By the id of the version, or by its first characters where Secrets Manager chose it; else it is an orphan."""
    native = a_key(2, name=FAMILY.key_name(own_id(2)[:-10] + NATIVE_ID[:10]))
    assert _owner(a_key(2), _found()) == (Owner.CONFIGURED, "uploader")
    assert _owner(native, _found(version=NATIVE_ID)) == (Owner.CONFIGURED, "uploader")
    assert _owner(a_key(3), _found()) == (Owner.ORPHAN, "uploader")
    assert _owner(native, _found()) == (Owner.ORPHAN, "uploader")


def test_a_key_that_is_held_or_waits_for_its_end_is_no_orphan() -> None:
    """A value that holds it under another id, or a label that names it, accounts for it; so does its death."""
    left = a_key(3)
    assert _owner(left, _found(), Values({"uploader": (Sensitive(f"x {left.key_id} y"),)}, {}))[0] is Owner.CONFIGURED
    assert _owner(left, _found(REPLACED_PREFIX + left.key_id))[0] is Owner.CONFIGURED
    assert _owner(replace(left, state=KeyState.REVOKED), _found())[0] is Owner.CONFIGURED


def test_what_is_not_found_out_is_not_an_orphan() -> None:
    """While AWS does not tell of a secret, its keys are its own; once it is gone, they are orphans."""
    for error, owner in (
        (StoreUnavailableError("no answer"), Owner.CONFIGURED),
        (SecretNotFoundError("gone"), Owner.ORPHAN),
    ):
        assert _owner(a_key(2), Resolved((), ((a_spec(), error),)))[0] is owner


def test_another_place_is_another_installation() -> None:
    """The same owner in another region, or another owner here."""
    abroad = KeyFamily.of("rotator", ARN.replace("eu-central-1", "us-east-1")).key_name(own_id(2))
    for name in (abroad, FAMILY.key_name(own_id(2)).replace("rotator/", "staging/")):
        assert _owner(a_key(2, name=name), _found()) == (Owner.INSTALLATION, "prod/pinata/uploader")


def test_what_could_not_be_read_may_hold_anything() -> None:
    """Nobody is said to hold a key only if every value was read."""
    values = Values({"uploader": ()}, {"uploader": StoreUnavailableError("no answer")})
    (row,) = owned([a_key(2)], "rotator", None, _found(), values)
    assert row.held_by is None
