"""The newest runs of one secret in a bucket, for a reader that may not get to the end: each can be read by itself."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from rotator.audit.bucket.objects import AuditBucket, RunInBucket, all_runs
from rotator.audit.event import parse
from rotator.audit.record import Record


def newest(
    bucket: AuditBucket, secret: str, since: datetime, idle_records: int, idle_max: int
) -> Iterator[Callable[[], list[Record]]]:
    """Yield what reads a run, the newest one first, until they are older than `since`.

    A run of at most `idle_records` events seldom did anything: only the newest `idle_max` of them are read.
    """
    idle = 0
    for run in all_runs(bucket, secret):
        if run.began_at < since:
            return
        idle += len(run.sequences) <= idle_records
        if len(run.sequences) > idle_records or idle <= idle_max:
            yield partial(_read, bucket, run)


def _read(bucket: AuditBucket, run: RunInBucket) -> list[Record]:
    found = (parse(bucket.get(key) or b"") for key in run.object_keys)
    return [stored.record for stored in found if stored]
