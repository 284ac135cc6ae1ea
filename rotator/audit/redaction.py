"""The last line of defence against secret material in the trail.

Events hold none by construction: they speak of key ids and names, and their texts are our own. Should one ever slip
through, what looks secret is replaced before the event is hashed and written. A
rotation is not stopped for it: a half-done rotation is the greater harm.
"""

from rotator.audit.attestation import Json
from rotator.model.secrecy import withheld

REMOVED = "<removed>"
TEXT_MAX = 2048
"""Characters of one text; none of ours comes near it."""


def redacted(value: Json) -> Json:
    """Return a value fit to be recorded: without what looks secret, and no text too long."""
    match value:
        case str():
            # A text from outside may hold half a surrogate pair, which has no UTF-8 form.
            text = value if value.isascii() else value.encode(errors="replace").decode()
            return withheld(text, REMOVED)[:TEXT_MAX]
        case list():
            return [redacted(inner) for inner in value]
        case dict():
            return {key: redacted(inner) for key, inner in value.items()}
        case _:
            return value
