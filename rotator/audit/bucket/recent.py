"""The newest runs of one secret in a bucket, for a reader that may not get to the end: each can be read by itself."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial
from itertools import chain

from rotator.audit.bucket.objects import AuditBucket, RunInBucket, all_runs, events_in
from rotator.audit.record import Record


def newest(bucket: AuditBucket, secret: str, since: datetime, idle_max: int) -> Iterator[Callable[[], list[Record]]]:
    """Yield what reads a run, the newest one first, until they are older than `since`.

    A run with a single object changed nothing, or died in its first call: only the newest `idle_max` are read.
    """
    idle = 0
    for run in all_runs(bucket, secret):
        if run.began_at < since:
            return
        is_idle = len(run.sequences) == 1
        idle += is_idle
        if not is_idle or idle <= idle_max:
            yield partial(_read, bucket, run)


def _read(bucket: AuditBucket, run: RunInBucket) -> list[Record]:
    found = chain.from_iterable(events_in(bucket.get(key)) for key in run.object_keys)
    return [stored.record for _, stored in found if stored]
