"""Whether the key that signs is trusted."""

from datetime import timedelta

import pytest

from rotator.fleet.doctor import Severity
from rotator.fleet.signers import untrusted
from rotator.model.signing import PinnedSigner
from tests.builders import NOW, ago

OURS, OTHER = (f"sha256:{digit * 64}" for digit in "1a")


@pytest.mark.parametrize(
    "pinned",
    [
        (),
        (PinnedSigner(OURS),),
        (PinnedSigner(OTHER), PinnedSigner(OURS)),
        (PinnedSigner(OURS, NOW + timedelta(seconds=1)),),
    ],
)
def test_trusted_key_is_no_finding(pinned: tuple[PinnedSigner, ...]) -> None:
    """It is named, or none is; its time is not over."""
    assert list(untrusted(OURS, pinned, NOW)) == []


@pytest.mark.parametrize(
    ("pinned", "what"),
    [
        ((PinnedSigner(OTHER),), "is not one of `signers`"),
        ((PinnedSigner(OURS, NOW),), "was trusted until 2026-"),
        ((PinnedSigner(OTHER), PinnedSigner(OURS, ago(days=3))), "was trusted until 2026-"),
    ],
)
def test_key_that_is_not_trusted_is_a_fault(pinned: tuple[PinnedSigner, ...], what: str) -> None:
    """The finding names the key, so that it can be added."""
    (one,) = untrusted(OURS, pinned, NOW)
    assert (one.check, one.secret, one.severity) == ("signer", None, Severity.FAULT)
    assert OURS in one.what
    assert what in one.what
