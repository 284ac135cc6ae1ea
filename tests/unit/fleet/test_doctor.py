"""Checks over what was read, where the command line cannot easily be brought."""

from dataclasses import replace
from datetime import timedelta

import pytest

from rotator.fleet.doctor import Examined, Severity, budget, findings
from rotator.fleet.keys import OwnedKey, Owner
from rotator.fleet.memory import NEVER, status_of
from rotator.model.errors import StoreUnavailableError
from rotator.model.naming import since_label
from rotator.model.observed import AWSCURRENT, AWSPREVIOUS, OURS, REPLACED_PREFIX, SecretDescription
from tests.builders import ARN, NOW, a_key, a_spec, a_version, ago

SPEC = a_spec()


def _seen(*labels: str, hold: str | None = None, **more: object) -> Examined:
    versions = (a_version(2, AWSCURRENT, *labels), a_version(1, AWSPREVIOUS))
    about = SecretDescription(ARN, "prod/pinata/uploader", ago(days=3), hold, versions)
    seen = Examined(SPEC, status_of(SPEC, about, NEVER, NOW), None, about, policy="", is_read=True, keys=())
    return replace(seen, **more)  # type: ignore[arg-type]  # fields by name


def _checks(seen: Examined) -> list[str]:
    return [one.check for one in findings([seen], NOW)]


@pytest.mark.parametrize("label", [OURS, f"{REPLACED_PREFIX}1234", since_label(ago(days=4)), "blue"])
def test_labels_that_belong_there_are_no_finding(label: str) -> None:
    """What a rotation leaves, and what is somebody else's."""
    assert _checks(_seen(label)) == []


@pytest.mark.parametrize(
    ("label", "check"),
    [
        ("rotator:since:soon", "unknown-label"),
        (REPLACED_PREFIX, "unknown-label"),
        ("rotator:new", "unknown-label"),
        (since_label(NOW), "since-label"),
    ],
)
def test_labels_that_mean_nothing_are_told(label: str, check: str) -> None:
    """A time that is none, no key, a name that nobody knows, and a promotion after the last change."""
    (one,) = findings([_seen(label)], NOW)
    assert (one.check, one.severity) == (check, Severity.ADVICE)
    assert f"--version-stage {label}" in one.command


def test_a_hold_tells_how_long_it_lasts() -> None:
    """Its age is known as far as the last change; one that has ended by itself is told, too."""
    (standing,) = findings([_seen(hold="audit until=2026-09-22T12:00:00Z")], NOW)
    (ended,) = findings([_seen(hold="audit until=2026-09-20T12:00:00Z")], NOW)
    assert "set 3 d ago or before" in standing.what
    assert "ends in 24 h" in standing.why
    assert ended.why == "it ended by itself"


def test_among_many_secrets_old_keys_are_known_by_their_names() -> None:
    """Nobody looked closer, and the list alone shows a key below the current one whose grace is long over."""
    old = OwnedKey(a_key(1), Owner.CONFIGURED, "uploader", 1, ())
    current = OwnedKey(a_key(2), Owner.CONFIGURED, "uploader", 2, ("uploader",))
    young = OwnedKey(a_key(3, made_at=ago(minutes=1)), Owner.ORPHAN, "uploader", 3, ())
    assert _checks(_seen(keys=(current, old, young))) == ["old-key"]
    assert _checks(_seen(since_label(ago(days=3)), keys=(current, old))) == ["old-key"]
    assert _checks(_seen(keys=None)) == []


def test_a_write_that_was_not_tried_out_is_not_fine() -> None:
    """An outage of AWS between the read and the write is no verdict."""
    (one,) = findings([_seen(error=StoreUnavailableError("no answer"))], NOW)
    assert (one.check, one.is_unmade) == ("writable", True)
    (policy,) = findings([_seen(policy="[")], NOW)
    assert (policy.check, policy.is_unmade) == ("policy", True)


def test_a_budget_is_enough_or_not() -> None:
    """Sixty looks an hour are one a minute."""
    specs = [a_spec(check_every=timedelta(minutes=10))] * 20
    assert list(budget(specs, 2)) == []
    (short,) = budget(specs, 1)
    assert "asks for 2 close looks a minute, and the budget allows 1" in short.what
