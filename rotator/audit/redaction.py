"""The last line of defence against secret material in the trail.

Events hold none by construction: they speak of key ids and names, and their texts are our own. Should one ever slip
through, what looks like a token or like the secret of a key pair is replaced before the event is hashed and written. A
rotation is not stopped for it: a half-done rotation is the greater harm.
"""

import re

from rotator.audit.attestation import Json

REMOVED = "<removed>"
TEXT_MAX = 2048
"""Characters of one text; none of ours comes near it."""

_SECRET = re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}|[0-9A-Fa-f]{64,}")
"""A JSON object in base64url, as JWTs begin, even if cut short; or a Pinata API secret."""


def looks_secret(text: str) -> bool:
    """Return whether a text holds something that looks like secret material."""
    return bool(_SECRET.search(text))


def redacted(value: Json) -> Json:
    """Return a value fit to be recorded: without what looks secret, and no text too long."""
    match value:
        case str():
            # A text from outside may hold half a surrogate pair, which has no UTF-8 form.
            text = value if value.isascii() else value.encode(errors="replace").decode()
            return (_SECRET.sub(REMOVED, text) if _SECRET.search(text) else text)[:TEXT_MAX]
        case list():
            return [redacted(inner) for inner in value]
        case dict():
            return {key: redacted(inner) for key, inner in value.items()}
        case _:
            return value
