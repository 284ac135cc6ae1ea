"""What people say to rotator by tags on a secret: hold it, and contain a key that has leaked.

A tag can be typed in the AWS console, by anybody at any time, so whatever it says has a meaning here.
"""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from rotator.model.times import time_from, time_text

HOLD_TAG = "rotator:hold"
"""Its value is the reason, and perhaps ends with `until=<time>`."""
CONTAIN_TAG = "rotator:contain"
"""Its value is `<key id>[+<key id>...] <reason>`, or the reason alone: then the current key is meant."""
AUDIT_HEAD_TAG = "rotator:audit-head"
"""Its value is the head of each place of the audit trail when the secret's last run there was listed."""
VALUE_MAX = 256
"""Characters of a tag's value (Secrets Manager, API reference, Tag)."""
_NOT_ALLOWED = re.compile(r"[^\w +\-=.:/@]")
"""What a tag's value may not hold: other than letters, digits, spaces and `+ - = . _ : / @` (AWS, tag policies)."""
_UNTIL = re.compile(r"(?:^|\s)until=(\S+)\s*$")
_HEAD = re.compile(r"([1-9]\d{0,9}):[0-9a-f]{16,64}@[0-9A-Za-z-]+", re.ASCII)
_KEY_ID = re.compile(r"[0-9A-Fa-f]{20,40}", re.ASCII)
"""Pinata's key ids are 20 hexadecimal digits, as far as they have been seen."""


@dataclass(frozen=True, slots=True)
class Containment:
    """A demand that leaked keys die."""

    key_ids: tuple[str, ...]
    """Empty if nobody has said yet which one."""
    reason: str

    @property
    def text(self) -> str:
        """The value of the tag."""
        return tag_value(" ".join(filter(None, ("+".join(self.key_ids), self.reason))))


def with_heads(tag: str, heads: Iterable[str]) -> str:
    """Return the value of the tag with these heads, `number:hex@place`; that of a place is never lowered."""
    by_place = {head.rpartition("@")[2]: head for head in tag.split() if head_number(head)}
    for head in heads:
        place = head.rpartition("@")[2]
        if head_number(head) > head_number(by_place.get(place, "")):
            by_place.pop(place, None)
            by_place[place] = head
    kept = list(by_place.values())
    while len(text := " ".join(kept)) > VALUE_MAX:  # of many places the one that was noted first goes
        del kept[0]
    return text


def head_number(head: str) -> int:
    """Return the number of a head; 0 if the text is none."""
    found = _HEAD.fullmatch(head)
    return int(found[1]) if found else 0


def is_key_id(text: str) -> bool:
    """Tell whether a word has the form of Pinata's key ids, whoever's key it is."""
    return _KEY_ID.fullmatch(text) is not None


def containment_in(text: str, known: Collection[str] = ()) -> Containment:
    """Return what the value of the tag `rotator:contain` demands.

    Its first word is taken for ids if each has the form of Pinata's, or is the id of a key that is `known`.
    """
    first, _, rest = text.strip().partition(" ")
    ids = tuple(dict.fromkeys(first.split("+")))
    if all(key_id in known or is_key_id(key_id) for key_id in ids):
        return Containment(ids, rest.strip())
    return Containment((), text.strip())


def hold_text(reason: str, until: datetime | None) -> str:
    """Return the value of the tag `rotator:hold`; the time, if any, is never cut off."""
    end = f" until={time_text(until)}" if until else ""
    return tag_value(reason)[: VALUE_MAX - len(end)].rstrip() + end


def hold_ends_at(text: str) -> datetime | None:
    """Return when a hold ends by itself; None if it does not, or if nobody can read when."""
    found = _UNTIL.search(text)
    try:
        return time_from(found[1]) if found else None
    except ValueError:
        return None


def tag_value(text: str) -> str:
    """Return a text as a tag's value can hold it: other characters become `_`, and it is cut at 256."""
    return _NOT_ALLOWED.sub("_", text.strip())[:VALUE_MAX].rstrip()


def untag_command(secret_id: str) -> str:
    """Return the command that takes a demand back, as a person types it."""
    return f"aws secretsmanager untag-resource --secret-id {secret_id} --tag-keys {CONTAIN_TAG}"
