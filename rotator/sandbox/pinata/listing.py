"""How the simulated Pinata lists keys: what is shown, the filters, the order, and pages."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import lru_cache

from rotator.sandbox.pinata.records import KeyRecord, ListQuery, Page
from rotator.sandbox.pinata.switches import CountOf, Listed, Order, RevokedFilter, Switches


def page_of(
    records: Iterable[KeyRecord], query: ListQuery, switches: Switches, now: float, disorder: Callable[[str], str]
) -> Page:
    """Cut the page that `query` asks for; `disorder` gives `Order.UNSTABLE` its sort keys."""
    wanted = _filter(query, switches)
    found = [record for record in _shown(records, switches, now) if wanted(record)]
    _sort(found, switches.order, disorder)
    page = tuple(found[query.offset : query.offset + switches.page_size])
    return Page(page, len(found) if switches.count_of is CountOf.TOTAL else len(page))


def _shown(records: Iterable[KeyRecord], switches: Switches, now: float) -> Iterator[KeyRecord]:
    lag = switches.listing
    for record in records:
        if not lag.is_over(record.created_at, now):
            continue
        if record.revoked_at is None or lag.is_over(record.revoked_at, now):
            yield record
        else:
            yield replace(record, revoked_at=None, updated_at=record.created_at)


def _filter(query: ListQuery, switches: Switches) -> Callable[[KeyRecord], bool]:
    revoked = _revoked(query.revoked, switches.revoked_filter)
    if revoked is None and switches.listed_by_default is Listed.ACTIVE_ONLY:
        revoked = False
    limited = query.limited_use
    # Documented as working only together with `limitedUse=true`.
    exhausted = query.exhausted if limited else None
    pattern = None if query.name is None else _ilike(query.name)

    def wanted(record: KeyRecord) -> bool:
        return (
            (revoked is None or (record.revoked_at is not None) is revoked)
            and (limited is None or (record.max_uses is not None) is limited)
            and (exhausted is None or record.used_up is exhausted)
            and (pattern is None or pattern.search(record.name) is not None)
        )

    return wanted


def _revoked(asked: bool | None, rule: RevokedFilter) -> bool | None:  # noqa: FBT001 - a filter's value
    match rule:
        case RevokedFilter.OBEYED:
            return asked
        case RevokedFilter.IGNORED:
            return None
        case RevokedFilter.INVERTED:
            return None if asked is None else not asked


def _sort(found: list[KeyRecord], order: Order, disorder: Callable[[str], str]) -> None:
    match order:
        case Order.NEWEST_FIRST:
            found.sort(key=lambda record: record.created_at)
            found.reverse()
        case Order.OLDEST_FIRST:
            found.sort(key=lambda record: record.created_at)
        case Order.LAST_UPDATED_FIRST:
            found.sort(key=lambda record: record.updated_at)
            found.reverse()
        case Order.BY_NAME:
            found.sort(key=lambda record: (record.name, record.key))
        case Order.BY_KEY:
            found.sort(key=lambda record: record.key)
        case Order.UNSTABLE:
            found.sort(key=lambda record: disorder(record.key))


@lru_cache(maxsize=256)
def _ilike(name: str) -> re.Pattern[str]:
    """Compile SQL's `ILIKE '%name%'`: `_` is any character, `%` any text, a backslash escapes."""
    wildcards = {"_": ".", "%": ".*"}
    pieces = re.findall(r"\\.|.", name, re.DOTALL)
    text = "".join(wildcards.get(piece) or re.escape(piece[-1]) for piece in pieces)
    return re.compile(text, re.IGNORECASE | re.DOTALL)
