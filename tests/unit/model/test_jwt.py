"""Tokens as text: which keys a value mentions."""

import pytest

from rotator.model.credential import Sensitive
from rotator.model.jwt import mentioned
from rotator.model.payload import VALUE_MAX_BYTES
from tests.unit.model.test_payload import JWT, NEW_JWT
from tests.yardstick import cpu_s


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"any": "key-1"}', {"key-1"}),
        (JWT, {"key-1"}),
        (f"prefix {JWT} suffix", {"key-1"}),
        (f'{{"a": {{"b": "{JWT}"}}, "key-3": "{NEW_JWT}"}}', {"key-1", "key-2", "key-3"}),
        (f"v1.{JWT}", {"key-1"}),
        ("a.b.c", set()),
        ("", set()),
    ],
)
def test_mentioned_keys(text: str, expected: set[str]) -> None:
    """A key is found in clear and inside the claims of a token, in a value of whatever shape."""
    assert mentioned(Sensitive(text), frozenset({"key-1", "key-2", "key-3", "key-4"})) == expected


@pytest.mark.parametrize("piece", ["a", "a.", "eyJ", "eyJ.", "1", "[", "W", "Bearer "])
def test_any_text_is_searched_in_little_time(piece: str) -> None:
    """The largest value that there can be takes a moment, whatever it holds."""
    text = Sensitive(piece * (VALUE_MAX_BYTES // len(piece)))
    keys = frozenset(f"{n:020x}" for n in range(20))
    assert cpu_s(lambda: mentioned(text, keys), repeat=2) < 0.5
