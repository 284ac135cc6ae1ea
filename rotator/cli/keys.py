"""`keys`: every key of the Pinata account in one table."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import assert_never

import click

from rotator.cli.context import chosen, connected, load_config, print_json
from rotator.cli.exits import Exit
from rotator.cli.screen import counted, folded, width
from rotator.fleet.keys import OwnedKey, Owner, owned, read_values
from rotator.fleet.lookup import resolve
from rotator.model.errors import RotatorError
from rotator.model.observed import KeyState
from rotator.model.ports import AccountKeys
from rotator.model.secret import Admin, Endpoints, Permissions, Resources
from rotator.model.times import span_text, time_text
from rotator.wiring.runs import MonotonicDeadline, startup_deadline

LIST_S = 600.0
"""How long the list of a large account may take within the budget of requests."""
_HEADINGS = ("KEY", "OWNER", "GEN", "AGE", "USES", "SECRET OR NAME")
_NOT_KNOWN = "not known"


def show_keys(
    config_option: str | None, owners: Sequence[str], names: Sequence[str], *, alive: bool | None, as_json: bool
) -> int:
    """Print whose each key is, whether it lives and which secrets hold it; return 1 if not all could be read."""
    config = load_config(config_option)
    asked = {spec.name for spec in chosen(config, names)} if names else None
    shows_dead = not alive and (as_json or alive is False)
    warnings: list[str] = []
    with connected(config) as both:
        deadline = MonotonicDeadline.after(LIST_S)
        lists = [both.provider.account_keys(revoked=False, deadline=deadline)]
        if shows_dead:
            try:
                lists.append(both.provider.account_keys(revoked=True, deadline=deadline))
            except RotatorError as error:
                warnings.append(f"the revoked keys are not known: {error.message}")
        found = resolve(config.secrets, both.store, startup_deadline())
        values = read_values(found, both.store, startup_deadline())
        keys = tuple({key.key_id: key for listed in lists for key in listed.keys}.values())
        rows = owned(keys, config.pinata.owner, both.provider.managing_key_id, found, values)
    warnings += _unlisted(lists)
    warnings += [f"{name}: which keys it holds is {_NOT_KNOWN}: {why.message}" for name, why in values.unread.items()]
    rows = tuple(
        row
        for row in rows
        if (not owners or row.owner in owners)
        and (asked is None or row.secret in asked or asked & set(row.held_by or ()))
        and (shows_dead or row.key.state is KeyState.LIVE)
    )
    now = datetime.now(UTC)
    if as_json:
        for row in rows:
            print_json(_to_json(row))
    else:
        click.echo("\n".join(_lines(rows, now, width())))
    for warning in warnings:
        click.echo(f"Warning: {warning}", err=True)
    return Exit.FAILED if warnings else Exit.OK


def _unlisted(lists: Sequence[AccountKeys]) -> Iterator[str]:
    if not all(listed.is_whole for listed in lists):
        yield (
            f"Pinata's list was not read to its end: {counted(sum(len(one.keys) for one in lists), 'key')} in "
            f"{LIST_S / 60:.0f} min and 1,000 pages; there are more"
        )
    if unreadable := sum(listed.unreadable for listed in lists):
        yield f"{counted(unreadable, 'more key')} in Pinata's list could not be read; they are not shown"


def _lines(rows: Sequence[OwnedKey], now: datetime, columns: int | None) -> Iterator[str]:
    cells = [_cells(row, now) for row in rows]
    widths = [max(map(len, column)) for column in zip(_HEADINGS, *cells, strict=True)]
    for row, texts in zip((None, *rows), (_HEADINGS, *cells), strict=True):
        if row is None and not rows:
            continue
        line = "  ".join(text.ljust(size) for text, size in zip(texts, widths, strict=True)).rstrip()
        if columns is not None and len(line) > columns:  # a name that is cut names nothing
            line = f"{line[: -len(texts[-1])].rstrip()}\n    {texts[-1]}"
        note = "" if row is None else f"held by {_held_text(row)}; {_scopes_text(row.key.scopes)}"
        if columns is None:
            yield f"{line}  ({note})" if note else line
        else:
            yield line
            yield from [folded(f"    {note}", columns)] if note else []
    counts = Counter(row.owner for row in rows)
    told = ", ".join(f"{counts[owner]:,} {owner}" for owner in Owner if counts[owner])
    yield f"{counted(len(rows), 'key')}{': ' if told else ''}{told}; none was touched"


def _cells(row: OwnedKey, now: datetime) -> tuple[str, ...]:
    key = row.key
    return (
        key.key_id,
        f"{row.owner}{'' if key.state is KeyState.LIVE else ' (dead)'}",
        str(row.generation) if row.generation else "-",
        span_text(now - key.created_at),
        f"{key.uses}/{key.max_uses}" if key.max_uses else str(key.uses),
        row.secret or key.name or "(no name)",
    )


def _held_text(row: OwnedKey) -> str:
    return _NOT_KNOWN if row.held_by is None else ", ".join(row.held_by) or "no configured secret"


def _scopes(scopes: Permissions | None) -> list[str] | None:
    match scopes:
        case None:
            return None
        case Admin():
            return ["admin"]
        case Resources(names=names) | Endpoints(names=names):
            return sorted(names)
        case _:
            assert_never(scopes)


def _scopes_text(scopes: Permissions | None) -> str:
    known = _scopes(scopes)
    return f"scopes {_NOT_KNOWN}" if known is None else ", ".join(known)


def _to_json(row: OwnedKey) -> dict[str, object]:
    key = row.key
    return {
        "key_id": key.key_id,
        "name": key.name,
        "scopes": _scopes(key.scopes),
        "created_at": time_text(key.created_at),
        "uses": key.uses,
        "alive": key.state is KeyState.LIVE,
        "owner": row.owner,
        "secret": row.secret,
        "generation": row.generation,
        "held_by": None if row.held_by is None else list(row.held_by),
    }
