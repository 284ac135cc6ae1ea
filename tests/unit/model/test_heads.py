"""The tag with the heads of the audit trail's places."""

import pytest

from rotator.model.tags import VALUE_MAX, head_number, with_heads

ONE, TWO, OTHER = f"1:{'a' * 16}@here", f"2:{'b' * 16}@here", f"9:{'c' * 16}@there"


@pytest.mark.parametrize(
    ("tag", "heads", "expected"),
    [
        ("", [ONE], ONE),
        (ONE, [TWO], TWO),
        (TWO, [ONE], TWO),
        (f"{OTHER} {ONE}", [TWO], f"{OTHER} {TWO}"),
        ("typed by hand", [ONE], ONE),
        (OTHER, [], OTHER),
    ],
)
def test_head_of_a_place_is_never_lowered(tag: str, heads: list[str], expected: str) -> None:
    """Of each place the later head stays; what is no head goes."""
    assert with_heads(tag, heads) == expected


def test_tag_has_room_for_a_few_places() -> None:
    """Of many places the one that was noted first goes."""
    places = [f"1:{'a' * 16}@{'p' * 11}{number}" for number in range(9)]
    told = with_heads(" ".join(places), [ONE])
    assert len(told) <= VALUE_MAX
    assert told.split()[-1] == ONE
    assert places[0] not in told.split()


def test_what_is_no_head_has_no_number() -> None:
    """A place and sixteen digits are needed."""
    assert [head_number(text) for text in (ONE, "1:abc@here", f"0:{'a' * 16}@here", "")] == [1, 0, 0, 0]
