"""The audit trail: what was decided and done, durable before it counts, and hard to change unseen.

    record       what is recorded, and what it is read as
    event        what a record looks like as a line: the schema
    attestation  what binds an event to its content and to the one before it
    pieces       the usual line, read and checked in a fraction of the time
    redaction    the last line of defence against secret material
    chain        one run's events, numbered and linked; a run that a crash cut off
    trail        the log a run is recorded in, over one destination or two
    sources      what the trail is read from, one source or two
    lives        the life of each key of a secret, from its records
    report       what an auditor is given about a period
    verify       whether an event still says what was written
    progress     how far a verification is
    runset       the ids of very many runs
    signers      keys in files, and the check of any seal
    signatures   what signing and checking compute, over `cryptography`
    locations    the directory and the bucket of one trail

The two media are packages of the same shape, for a directory and for an S3 bucket:

    directory.files        bucket.objects      names, durability, listings
    directory.destination  bucket.destination  recording, and closing what a crash left open
    directory.source       bucket.source       looking things up, and verifying
                           bucket.recent       the newest runs, for a reader that may not get to the end

`bucket` takes botocore; only `locations` imports it. The trail holds key ids and names, never secret
material, and nothing switches it off.
"""
