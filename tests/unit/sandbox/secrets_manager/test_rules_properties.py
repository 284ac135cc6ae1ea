"""What holds in every history of a secret, over random sequences of calls."""

from collections.abc import Callable
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.state import (
    CURRENT,
    LABELS_MAX,
    PENDING,
    PREVIOUS,
    LimitExceededError,
    PendingOnPromotion,
    RuleError,
    Secret,
)

Change = Callable[[Secret], Secret]

V1, V2, V3, V4 = (f"version-{n}-".ljust(32, "x") for n in range(1, 5))
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:rotate"


def put(token: str, value: str = "", *labels: str) -> Change:
    """A Put of the value, or of one named after the token."""
    return lambda s: rules.put(s, 10.0, token=token, value=value or token, labels=labels or (CURRENT,))


def move(label: str, to: str | None = None, remove_from: str | None = None) -> Change:
    """A label move."""
    return lambda s: rules.move_label(s, 20.0, label, move_to=to, remove_from=remove_from)


def rotate(token: str) -> Change:
    """The start of a rotation by a function."""
    return lambda s: rules.begin_rotation(s, 30.0, token=token, lambda_arn=LAMBDA)


def after(*changes: Change) -> Secret:
    """A secret with one version, changed."""
    secret = rules.create(1.0, token=V1, value="one")
    for change in changes:
        secret = change(secret)
    return secret


LABELS = st.sampled_from([CURRENT, PENDING, PREVIOUS, *(f"l{n}" for n in range(22))])
VERSIONS = st.sampled_from([V1, V2, V3, V4])
MAYBE = st.none() | VERSIONS
CHANGES = st.one_of(
    st.builds(
        lambda token, value, labels: put(token, value, *labels),
        VERSIONS,
        st.sampled_from(["", "other"]),
        st.lists(LABELS, max_size=8),
    ),
    st.builds(move, LABELS, MAYBE, MAYBE),
    st.builds(rotate, VERSIONS),
    st.builds(lambda token: lambda s: rules.end_rotation_test(s, 1.0, token=token), VERSIONS),
    st.builds(lambda token: lambda s: rules.update(s, 1.0, token=token, value="u"), VERSIONS),
)


@given(st.lists(CHANGES, max_size=40), st.sampled_from(PendingOnPromotion))
def test_invariants_hold_in_every_history(changes: list[Change], on_promotion: PendingOnPromotion) -> None:
    """One AWSCURRENT, at most 20 labels, no dangling label, no changed value, rising dates."""
    secret = replace(after(), on_promotion=on_promotion)
    for change in changes:
        before = secret
        try:
            secret = change(secret)
        except RuleError:
            continue
        assert CURRENT in secret.labels
        assert len(secret.labels) <= LABELS_MAX
        assert set(secret.labels.values()) <= set(secret.versions)
        assert secret is before or secret.last_changed > before.last_changed
        assert sum(CURRENT in labels for labels in secret.describe().values()) == 1
        for version_id, version in before.versions.items():
            if version.value is not None:
                assert secret.versions[version_id] == version


@given(st.lists(CHANGES, max_size=20), LABELS, VERSIONS, MAYBE)
def test_a_label_moves_only_from_where_the_caller_saw_it(
    changes: list[Change], label: str, target: str, seen: str | None
) -> None:
    """A swap changes the label exactly if the version named is the one that holds it."""
    secret = after(put(V2), put(V3), put(V4))
    for change in changes:
        try:
            secret = change(secret)
        except RuleError:
            continue
    holder = secret.labels.get(label)
    seen_right = seen == holder or (seen is None and holder == target)
    try:
        moved = move(label, target, seen)(secret)
    except LimitExceededError:
        assert seen_right
    except RuleError:
        assert not seen_right
    else:
        assert seen_right
        assert moved.labels[label] == target
