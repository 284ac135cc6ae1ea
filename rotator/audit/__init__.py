"""The audit trail: what was decided and done, durable before it counts, and hard to change unseen.

    ocsf           what an event looks like
    attestation    what binds it to its content and to the one before it
    chain          one run's events, numbered and linked
    directory      the files, and when a line is durable
    recovery       closing what a crash left open
    trail          the log a run is recorded in
    reading        looking things up
    verification   whether it still says what was written

It holds key ids and names, never secret material, and nothing switches it off.
"""

from rotator.audit.directory import probe
from rotator.audit.ocsf import Kind, Writer
from rotator.audit.reading import endings, last_outcomes, query
from rotator.audit.stored import Record
from rotator.audit.trail import AuditTrail
from rotator.audit.verification import Finding, Flaw, Verdict, VerificationReport, verify

__all__ = [
    "AuditTrail",
    "Finding",
    "Flaw",
    "Kind",
    "Record",
    "Verdict",
    "VerificationReport",
    "Writer",
    "endings",
    "last_outcomes",
    "probe",
    "query",
    "verify",
]
