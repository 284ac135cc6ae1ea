"""The rules of versions and staging labels against what AWS documents, case by case."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from rotator.sandbox.secrets_manager import rules
from rotator.sandbox.secrets_manager.state import (
    CURRENT,
    PENDING,
    PREVIOUS,
    Details,
    InvalidParameterError,
    InvalidRequestError,
    LimitExceededError,
    PendingOnPromotion,
    ResourceExistsError,
    ResourceNotFoundError,
    RuleError,
    Secret,
)

V1, V2, V3, V4 = (f"version-{n}-".ljust(32, "x") for n in range(1, 5))
DAY_S = 86_400.0
LAMBDA = "arn:aws:lambda:eu-central-1:123456789012:function:rotate"

Change = Callable[[Secret], Secret]


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


ANSWERS: dict[str, tuple[list[Change], dict[str, str]]] = {
    "a first version is current": ([], {CURRENT: V1}),
    "a put without stages moves AWSCURRENT, and AWSPREVIOUS follows": ([put(V2)], {CURRENT: V2, PREVIOUS: V1}),
    "a pending put leaves the current version alone": ([put(V2, "", PENDING)], {CURRENT: V1, PENDING: V2}),
    "a repeated put does not move labels": (
        [put(V2, "", PENDING), put(V3), put(V2, "", CURRENT, "extra")],
        {CURRENT: V3, PREVIOUS: V1, PENDING: V2},
    ),
    "a custom label survives the loss of AWSCURRENT": (
        [put(V2, "", CURRENT, "mine"), put(V3)],
        {CURRENT: V3, PREVIOUS: V2, "mine": V2},
    ),
    "a label moves from version to version": ([put(V2, "", "mine"), put(V3, "", "mine")], {CURRENT: V1, "mine": V3}),
    "a promotion by label keeps AWSPENDING": (
        [put(V2, "", PENDING), move(CURRENT, V2, V1)],
        {CURRENT: V2, PREVIOUS: V1, PENDING: V2},
    ),
    "a roll-back turns AWSPREVIOUS round": ([put(V2), move(CURRENT, V1, V2)], {CURRENT: V1, PREVIOUS: V2}),
    "a put after a move by label leaves one AWSCURRENT": (
        [put(V2, "", PENDING), move(CURRENT, V2, V1), move(PENDING, None, V2), put(V3)],
        {CURRENT: V3, PREVIOUS: V2},
    ),
    "a free label is attached without a RemoveFromVersionId": ([move("mine", V1)], {CURRENT: V1, "mine": V1}),
    "a label moved onto its own version stays": (
        [move("mine", V1), move("mine", V1, V1), move("mine", V1)],
        {CURRENT: V1, "mine": V1},
    ),
    "a rotation starts on an empty pending version": ([rotate(V2)], {CURRENT: V1, PENDING: V2}),
    "an empty pending version is filled once": ([rotate(V2), put(V2, "two", PENDING)], {CURRENT: V1, PENDING: V2}),
    "a rotation may start with AWSPENDING on the current version": (
        [put(V2, "", PENDING), move(CURRENT, V2, V1), rotate(V3)],
        {CURRENT: V2, PREVIOUS: V1, PENDING: V3},
    ),
    "an update makes a current version": (
        [lambda s: rules.update(s, 9.0, token=V2, value="two")],
        {CURRENT: V2, PREVIOUS: V1},
    ),
}


@pytest.mark.parametrize(("changes", "labels"), ANSWERS.values(), ids=ANSWERS)
def test_labels_end_where_aws_documents(changes: list[Change], labels: dict[str, str]) -> None:
    """Each history leaves every label on the documented version and LastChangedDate advanced."""
    secret = after(*changes)
    assert dict(secret.labels) == labels
    assert (secret.last_changed > 1.0) is (len(changes) > 0)


DELETED: Change = lambda s: rules.delete(s, 5.0, deletion=DAY_S)  # noqa: E731 - used like the changes above
REFUSALS: dict[str, tuple[list[Change], Change, type[RuleError]]] = {
    "another value for a pending version": ([put(V2, "", PENDING)], put(V2, "other", PENDING), ResourceExistsError),
    "another value for a filled placeholder": (
        [rotate(V2), put(V2, "two", PENDING)],
        put(V2, "other", PENDING),
        ResourceExistsError,
    ),
    "bytes for a text": ([], lambda s: rules.put(s, 9.0, token=V1, value=b"one"), ResourceExistsError),
    "an update with a used token": ([], lambda s: rules.update(s, 9.0, token=V1, value="one"), ResourceExistsError),
    "a swap of AWSCURRENT from the wrong version": (
        [put(V2), put(V3, "", PENDING)],
        move(CURRENT, V3, V1),
        InvalidParameterError,
    ),
    "a swap of AWSCURRENT from nothing": ([put(V2)], move(CURRENT, V1), InvalidParameterError),
    "a swap of a custom label from nothing": ([put(V2, "", "mine")], move("mine", V1), InvalidParameterError),
    "a finished swap once more": (
        [put(V2, "", PENDING), move(CURRENT, V2, V1)],
        move(CURRENT, V2, V1),
        InvalidParameterError,
    ),
    "a swap from a version for a label that is nowhere": ([], move("mine", V1, V1), InvalidParameterError),
    "an unknown target": ([], move(CURRENT, V4, V1), ResourceNotFoundError),
    "an unknown source": ([], move(CURRENT, V1, V4), ResourceNotFoundError),
    "AWSCURRENT without a target": ([], move(CURRENT, None, V1), InvalidParameterError),
    "a removal from another version": ([put(V2, "", "mine")], move("mine", None, V1), InvalidParameterError),
    "a move that names no version": ([], move("mine"), InvalidParameterError),
    "a rotation while AWSPENDING is stuck": ([put(V2, "", PENDING)], rotate(V3), InvalidRequestError),
    "a rotation to a used version": ([], rotate(V1), InvalidRequestError),
    "a rotation without a function": ([], lambda s: rules.begin_rotation(s, 9.0, token=V2), InvalidRequestError),
    "a put on a deleted secret": ([DELETED], put(V2), InvalidRequestError),
    "a replay on a deleted secret": ([DELETED], put(V1, "one"), InvalidRequestError),
    "a move on a deleted secret": ([DELETED], move("mine", V1), InvalidRequestError),
    "a tag on a deleted secret": ([DELETED], lambda s: rules.tag(s, 9.0, {"a": "b"}), InvalidRequestError),
    "a second deletion": ([DELETED], DELETED, InvalidRequestError),
    "a short token": ([], put("x" * 31), InvalidParameterError),
    "a long token": ([], put("x" * 65), InvalidParameterError),
    "a long label": ([], put(V2, "", "l" * 257), InvalidParameterError),
    "a large value": ([], put(V2, "ü" * 32_769), InvalidParameterError),
    "21 stages in one put": ([], put(V2, "", *(f"l{n}" for n in range(21))), InvalidParameterError),
    "21 labels over all versions": (
        [put(V2, "", *(f"l{n}" for n in range(19)))],
        put(V3, "", "one-more"),
        LimitExceededError,
    ),
    "a long description": (
        [],
        lambda s: rules.update(s, 9.0, token=V2, details=Details("d" * 2_049)),
        InvalidParameterError,
    ),
    "51 tags": ([], lambda s: rules.tag(s, 9.0, {f"k{n}": "" for n in range(51)}), InvalidParameterError),
    "a long tag key": ([], lambda s: rules.tag(s, 9.0, {"k" * 129: ""}), InvalidParameterError),
    "a long tag value": ([], lambda s: rules.tag(s, 9.0, {"k": "v" * 257}), InvalidParameterError),
    "a reserved tag key": ([], lambda s: rules.tag(s, 9.0, {"aws:k": ""}), InvalidParameterError),
}


@pytest.mark.parametrize(("before", "change", "refusal"), REFUSALS.values(), ids=REFUSALS)
def test_refusals_are_those_aws_documents(before: list[Change], change: Change, refusal: type[RuleError]) -> None:
    """Each call is refused with the documented error and the secret stays as it was."""
    secret = after(*before)
    unchanged = replace(secret, labels=dict(secret.labels), versions=dict(secret.versions))
    with pytest.raises(refusal):
        change(secret)
    assert secret == unchanged


UNCHANGED: dict[str, Change] = {
    "a repeated put": put(V1, "one", CURRENT, "other"),
    "a label onto its own version": move(CURRENT, V1, V1),
    "a tag that is there": lambda s: rules.tag(s, 9.0, {"a": "b"}),
    "the removal of a tag that is not there": lambda s: rules.untag(s, 9.0, ["c"]),
    "an update of nothing": lambda s: rules.update(s, 9.0, token=V2),
    "the restoration of a live secret": lambda s: rules.restore(s, 9.0),
}


@pytest.mark.parametrize("change", UNCHANGED.values(), ids=UNCHANGED)
def test_a_call_that_changes_nothing_leaves_the_date(change: Change) -> None:
    """LastChangedDate is that of the last change."""
    secret = rules.tag(after(), 4.0, {"a": "b"})
    assert change(secret) is secret


def test_the_date_of_last_change_never_goes_back() -> None:
    """Two changes at the same or an earlier time still have rising dates."""
    first = rules.tag(after(), 4.0, {"a": "b"})
    second = rules.untag(rules.tag(first, 4.0, {"a": "c"}), 3.0, ["a"])
    assert first.last_changed == 4.0
    assert second.last_changed == 4.002


def test_reads_show_what_aws_shows() -> None:
    """Unlabelled versions are hidden, empty ones are described and listed, and not served."""
    secret = after(put(V2), put(V3), rotate(V4))
    assert secret.describe() == {V3: [CURRENT], V2: [PREVIOUS], V4: [PENDING]}
    assert {f.version_id for f in secret.list_versions()} == {V2, V3, V4}
    every = {f.version_id for f in secret.list_versions(include_deprecated=True)}
    assert every == {V1, V2, V3, V4}
    assert secret.get().version_id == V3
    assert secret.get(version_id=V1).value == "one"
    assert secret.get(label=PREVIOUS).version_id == V2
    with pytest.raises(ResourceNotFoundError):
        secret.get(label=PENDING)
    with pytest.raises(InvalidRequestError):
        secret.get(version_id=V1, label=CURRENT)
    with pytest.raises(ResourceNotFoundError):
        secret.get(label="nowhere")


def test_a_new_secret_is_as_old_as_its_first_version() -> None:
    """Creation, first version and last change have one date."""
    secret = rules.create(7.0004, token=V1, value="one")
    assert (secret.created, secret.last_changed, secret.get().version.created) == (7.0, 7.0, 7.0)


def test_a_first_put_is_current_whatever_was_asked() -> None:
    """An empty secret's first version gets AWSCURRENT beside the label asked for."""
    secret = rules.put(rules.create(1.0, token=V1), 2.0, token=V2, value="x", labels=(PENDING,))
    assert secret.labels == {PENDING: V2, CURRENT: V2}


def test_a_promotion_may_drop_awspending() -> None:
    """With the other documented behaviour, the call that promotes also removes AWSPENDING."""
    secret = replace(after(put(V2, "", PENDING)), on_promotion=PendingOnPromotion.DROPPED)
    assert move(CURRENT, V2, V1)(secret).labels == {CURRENT: V2, PREVIOUS: V1}


def test_a_rotation_test_leaves_no_version() -> None:
    """The pending version of a test is removed, unless somebody filled or moved it."""
    started = after(rotate(V2))
    assert rules.end_rotation_test(started, 40.0, token=V2).labels == {CURRENT: V1}
    filled = put(V2, "two", PENDING)(started)
    assert rules.end_rotation_test(filled, 40.0, token=V2) is filled
    moved = move(CURRENT, V2, V1)(started)
    assert rules.end_rotation_test(moved, 40.0, token=V2) is moved


def test_a_filled_version_keeps_its_creation_date() -> None:
    """A placeholder was created when the rotation began, not when its value came."""
    filled = after(rotate(V2), lambda s: rules.put(s, 50.0, token=V2, value="two"))
    assert filled.get().version.created == 30.0
    assert filled.last_changed == 50.0


def test_old_unlabelled_versions_make_room() -> None:
    """A day of fast puts hits the quota; a day later the oldest versions go."""
    secret = after()
    tokens = [f"{n:032}" for n in range(101)]
    for token in tokens:
        secret = rules.put(secret, 10.0, token=token, value=token)
    with pytest.raises(LimitExceededError):
        rules.put(secret, 20.0, token="y" * 32, value="y")
    with pytest.raises(LimitExceededError):
        rules.put(secret, DAY_S, token="y" * 32, value="y")
    later = rules.put(secret, 2 * DAY_S, token="y" * 32, value="y")
    assert V1 not in later.versions
    assert tokens[0] in later.versions
