"""What keeps events free of secret material."""

import pytest

from rotator.audit.chain import Chain
from rotator.audit.event import StoredEvent, parse
from rotator.audit.record import Entry, Repaired, RunIdentity
from rotator.audit.redaction import REMOVED, TEXT_MAX
from rotator.model.errors import Remedy
from rotator.model.events import Ended, Failure
from rotator.model.plan import OutcomeKind
from tests.unit.audit.builders import ARN, WRITER, Lines, TickingClock, an_outcome

JWT = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzY29wZWRLZXlLZXkiOiJhIn0.c2lnbmF0dXJl-_"
API_SECRET = "9b" * 32


def _stored(entry: Entry) -> StoredEvent:
    sink = Lines()
    secret, arn = ("", "") if isinstance(entry, Repaired) else ("uploader", ARN)
    Chain(RunIdentity("run-7", secret, arn), WRITER, sink, TickingClock()).add(entry)
    stored = parse(sink.written[0])
    assert stored
    return stored


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"refused: Bearer {JWT}", f"refused: Bearer {REMOVED}"),
        (f"refused: {JWT[:30]}", f"refused: {REMOVED}"),
        (f"secret={API_SECRET};", f"secret={REMOVED};"),
        (f"x{API_SECRET.upper()}{API_SECRET}", f"x{REMOVED}"),
        ("half a pair \ud83d", "half a pair ?"),
        ("secretsmanager.eu-central-1.amazonaws.com", "secretsmanager.eu-central-1.amazonaws.com"),
        ("-" * 3000, "-" * TEXT_MAX),
    ],
    ids=["token", "half-token", "secret", "long-hex", "surrogate", "host", "long"],
)
def test_no_text_carries_secret_material(text: str, kept: str) -> None:
    """What looks like a token or an API secret is replaced before it is hashed; the rest stays."""
    assert _stored(an_outcome(detail=text)).record.detail == kept
    ended = Ended(OutcomeKind.FAILED, None, "", "", (text,), Failure("StoreError", Remedy.PERSON, text, text))
    record = _stored(ended).record
    assert record.revoked == (kept,)
    assert record.failure == Failure("StoreError", Remedy.PERSON, kept, kept)
