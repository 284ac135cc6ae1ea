"""The audit trail: what was decided and done, durable before it counts, and hard to change unseen.

    record       what is recorded, and what it is read as
    event        what a record looks like as a line: its schema
    attestation  what binds an event to its content and to the one before it
    redaction    the last line of defence against secret material
    chain        one run's events, numbered and linked; and a run that a crash cut off
    trail        the log a run is recorded in, over one destination or two
    sources      looking things up in what was recorded, in one place or two
    verify       whether an event still says what was written
    locations    the directory and the bucket of one trail

A trail lies in a directory, in a bucket, or in both. Each is a package of the same shape:

    directory.files        bucket.objects        the medium: names, durability, listings
    directory.destination  bucket.destination    recording, and closing what a crash left open
    directory.source       bucket.source         looking things up, and verifying

`bucket` needs botocore, which takes long to import; `locations` imports both, nothing else imports `bucket`.
The trail holds key ids and names, never secret material, and nothing switches it off.
"""
