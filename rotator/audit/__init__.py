"""The audit trail: what was decided and done, durable before it counts, and hard to change unseen.

    ocsf            what an event looks like
    attestation     what binds it to its content and to the one before it
    chain           one run's events, numbered and linked
    trail           the log a run is recorded in, over one destination or two
    sources         looking things up in them
    locations       all of them together
    findings, judge whether an event still says what was written

A directory                                 A bucket, which needs boto3 and is imported by name
    directory     files and durability          bucket          the calls, and when a line is durable
    files         one file per process          objects         how a run lies in it
    recovery      closing what crashed          bucket_runs     writing, and closing what crashed
    reading       looking things up             bucket_reading  looking things up, and judging them
    verification  judging the files

It holds key ids and names, never secret material, and nothing switches it off.
"""

from rotator.audit.files import DirectoryDestination
from rotator.audit.findings import Finding, Flaw, Verdict, VerificationReport
from rotator.audit.ocsf import Kind, Writer
from rotator.audit.reading import Criteria, last_outcomes, query
from rotator.audit.sources import DirectorySource, Source, endings_of, last_outcomes_of, records_of, verify_all
from rotator.audit.stored import Record
from rotator.audit.trail import AuditTrail
from rotator.audit.verification import verify

__all__ = [
    "AuditTrail",
    "Criteria",
    "DirectoryDestination",
    "DirectorySource",
    "Finding",
    "Flaw",
    "Kind",
    "Record",
    "Source",
    "Verdict",
    "VerificationReport",
    "Writer",
    "endings_of",
    "last_outcomes",
    "last_outcomes_of",
    "query",
    "records_of",
    "verify",
    "verify_all",
]
