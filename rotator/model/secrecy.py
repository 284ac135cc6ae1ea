"""What looks like secret material: one definition for everything that may be shown, logged or recorded.

Arguments, names, paths and settings are typed by people, who paste the wrong thing; texts from outside hold what they
like. What is ours never looks so: key ids have 20 characters, version ids and ARNs have hyphens. The fingerprints of
the audit trail do (64 hexadecimal digits, as Pinata's secrets), and whoever shows one knows it.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

WITHHELD = "<withheld>"
_CANDIDATE = re.compile(
    r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}"
    r"|(?P<hex>[0-9A-Fa-f]{64,})"
    r"|(?:AQoD|FQoG|FwoG|IQoJ)[A-Za-z0-9/+=]{60,}"
    r"|-----BEGIN [A-Z ]{0,32}PRIVATE KEY-----[A-Za-z0-9/+=\s]*"
    r"|(?<![A-Za-z0-9/+_.-])(?P<key>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=_-])"
)
"""A JSON object in base64url, as JWTs begin, even if cut short; a Pinata API secret; a session token of AWS; a private
key; and what has the form of a secret access key of AWS, if it is random enough."""
_BEGINNINGS = ("eyJ", "-----BEGIN ")
_RUN_MIN = 40
"""What has none of these beginnings is so long, of `_RUN` alone."""
_RUN = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/+=")
_ONLY_RUNS = bytes(code if code in _RUN else ord(" ") for code in range(256))
_CHANGES_MIN = 12
"""How often a secret access key goes from one kind of character to another; 25 times on average, a name far less."""


def secrets_in(text: str) -> Iterator[re.Match[str]]:
    """Yield every part of a text that looks like secret material."""
    if not _may_hold_some(text):
        return
    for found in _CANDIDATE.finditer(text):
        if (found["key"] is None or _is_random(found["key"])) and (found["hex"] is None or _is_mixed(found["hex"])):
            yield found


def looks_secret(text: str) -> bool:
    """Return whether a text holds something that looks like secret material."""
    return next(secrets_in(text), None) is not None


def withheld(text: str, mark: str = WITHHELD) -> str:
    """Return a text with a mark in place of everything in it that looks like secret material."""
    shown, at = "", 0
    for found in secrets_in(text):
        shown += text[at : found.start()] + mark
        at = found.end()
    return shown + text[at:]


def _may_hold_some(text: str) -> bool:
    """Tell quickly whether a text, as nearly all of ours, holds nothing that `_CANDIDATE` could find."""
    if any(beginning in text for beginning in _BEGINNINGS):
        return True
    runs = text.encode(errors="replace").translate(_ONLY_RUNS).split()
    return max(map(len, runs), default=0) >= _RUN_MIN


def _is_mixed(digits: str) -> bool:
    return not digits.isdecimal() and not digits.isalpha()


def _is_random(text: str) -> bool:
    kinds = [(char.isupper(), char.islower(), char.isdigit()) for char in text]
    changes = sum(before != after for before, after in pairwise(kinds))
    return {(True, False, False), (False, True, False), (False, False, True)} <= set(kinds) and changes >= _CHANGES_MIN
