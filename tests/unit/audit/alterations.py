"""Alterations of a trail, at random from a seed: of bytes, of lines, and of what an event says, sealed anew or not."""

import json
import re
from collections.abc import Callable
from hashlib import sha256
from itertools import chain
from random import Random
from typing import Any

from rotator.audit.attestation import Head, Json, JsonObject, canonical, sealed
from rotator.audit.event import parse

Alteration = Callable[[Random, list[bytes]], None]
"""Alters the lines of a file."""
_OWN = re.compile(rb',"fingerprint":\{"algorithm_id":3,"value":"([0-9a-f]{64})"\}')
_SECRET = "9b" * 32
_FRAGMENTS = (
    *(rb"\u0041", rb"\"", rb"\\", rb"\ud800", rb"\n", b"\xc3\xa9", b"\xe2\x80\xa8", b"\xff", b"\x00", b"\x7f", b" "),
    *(b"\t", b"\r", b"\n", b'"', b",", b":", b"{", b"}", b"[", b"]", b"{}", b"[]", b"0", b"1", b"-", b"-0", b"1e3"),
    *(b"1.0", b"true", b"null", b"NaN", b'"status":"Held",', b'"uid":"x",', b'"time":1,', b'"sequence":1,'),
    *(b'"request":{"uid":"1.1"},', b',"note":1', b'"resources":[],', b'"attestation_list":[],', b'"unmapped":{},'),
    *(b"9" * 5000, b"eyJhbGciOiJIUzI1NiJ9", _SECRET.encode()),
)  # fmt: skip


def _value(random: Random, event: JsonObject) -> object:
    digests = _OWN.findall(canonical(event)) or [b"0" * 64]
    digits = random.choice(digests).decode()
    texts = [
        "",
        "x",
        "1",
        "1.1",
        "run-1",
        "\u00e9",
        "\ud800",
        "\n",
        '"',
        "\\",
        "a" * 5000,
        _SECRET,
        digits,
        f"eyJ{digits}",
    ]
    texts += [f"{'G1h2' * 5}{digits}{'K3m4' * 5}", "started", "ended", "-----BEGIN PRIVATE KEY-----", "Revoke"]
    others: list[object] = [
        0,
        1,
        -1,
        2**53 + 1,
        10**30,
        253_402_300_800_000,
        True,
        False,
        None,
        [],
        {},
        [1],
        {"uid": 1},
    ]
    return random.choice([random.choice(texts), random.choice(others), [random.choice(texts)]])


def _places(value: Json) -> list[tuple[Any, Any]]:
    """Return every container in a value with each of its keys."""
    match value:
        case dict():
            inner: list[tuple[Any, Json]] = [*value.items()]
        case list():
            inner = [*enumerate(value)]
        case _:
            inner = []
    return [*((value, key) for key, _ in inner), *chain.from_iterable(_places(more) for _, more in inner)]


def _edited(random: Random, line: bytes) -> JsonObject:
    """Return an event with a value or a key changed, added or gone."""
    event: JsonObject = json.loads(line)
    places = _places(event)
    container, key = random.choice(places)
    match random.randrange(5 if isinstance(container, dict) else 2):
        case 0 | 1:
            container[key] = _value(random, event)
        case 2:
            del container[key]
        case 3:
            container[random.choice(("note", "uid", "zz", "", "a", "version"))] = _value(random, event)
        case _:
            container[key], other = (other_container := random.choice(places))[0][other_container[1]], container[key]
            other_container[0][other_container[1]] = other
    return event


def _bytes(random: Random, lines: list[bytes], at: int) -> bytes:
    """Return a line with some bytes flipped, removed, added or copied."""
    line = bytearray(lines[at])
    for _ in range(random.choice((1, 1, 2))):
        place = random.randrange(len(line) + 1)
        match random.randrange(5):
            case 0:
                line[place : place + 1] = bytes([random.randrange(256)])
            case 1:
                del line[place : place + random.choice((1, 1, 5, 60))]
            case 2:
                line[place:place] = random.choice(_FRAGMENTS)
            case 3:
                tokens = [found.span() for found in re.finditer(rb'[{}\[\],:]|"[^"]*"|\d+', bytes(line))]
                start, end = random.choice(tokens or [(0, 0)])
                line[start:end] = random.choice((*_FRAGMENTS, line[start:end] * 2, b""))
            case _:
                other = random.choice(lines)
                start = random.randrange(len(other) + 1)
                line[place:place] = other[start : start + random.randrange(80)]
    return bytes(line)


def resealed(line: bytes) -> bytes:
    """Return a line, whatever is on it, with the hash of its other bytes in place of its first fingerprint."""
    if not (found := _OWN.search(line)):
        return line
    bare = line[: found.start()] + line[found.end() :].removesuffix(b"\n")
    return line[: found.start(1)] + sha256(bare).hexdigest().encode() + line[found.end(1) :]


def alter_bytes(random: Random, lines: list[bytes]) -> None:
    """Alter bytes of a line, and sometimes seal it anew as it is."""
    at = random.randrange(len(lines))
    lines[at] = _bytes(random, lines, at)
    if random.random() < 0.7:
        lines[at] = resealed(lines[at])


def alter_event(random: Random, lines: list[bytes]) -> None:
    """Alter what an event says, seal it anew, and sometimes each event that follows in its run."""
    at = random.randrange(len(lines))
    event = _edited(random, lines[at])
    try:
        lines[at] = sealed(event) + b"\n"
    except (ValueError, TypeError):
        lines[at] = json.dumps(event, sort_keys=True, separators=(",", ":")).encode() + b"\n"
    if random.random() < 0.5:
        relink(lines, at)


def alter_form(random: Random, lines: list[bytes]) -> None:
    """Write the same event otherwise, with a fingerprint that fits those bytes."""
    at = random.randrange(len(lines))
    event = json.loads(lines[at])
    keys = [*event]
    random.shuffle(keys)
    forms = (
        json.dumps(event).encode(),
        json.dumps(event, separators=(",", ":"), sort_keys=True, indent=0).encode().replace(b"\n", b""),
        json.dumps({key: event[key] for key in keys}, separators=(",", ":")).encode(),
        canonical(event).replace(b"rotator", b"\\u0072otator", 1),
        canonical(event)[:-1] + b"," + canonical(event)[1:],
        canonical(event) + b" ",
    )
    lines[at] = resealed(random.choice(forms) + b"\n")


def alter_lines(random: Random, lines: list[bytes]) -> None:
    """Remove, repeat, move or swap lines, or replace the id of a run in one."""
    at, other = random.randrange(len(lines)), random.randrange(len(lines))
    match random.randrange(5):
        case 0:
            del lines[at]
        case 1:
            lines.insert(other, lines[at])
        case 2:
            lines.insert(other, lines.pop(at))
        case 3:
            lines[at], lines[other] = lines[other], lines[at]
        case _:
            mine = json.loads(lines[at])["metadata"]["correlation_uid"].encode()
            its = json.loads(lines[other])["metadata"]["correlation_uid"].encode()
            new = random.choice((its, b"1", b"", b"a", b"A" * 40, b"uid", b"0123456789abcdef" * 2, b"9b" * 32))
            count = random.choice((1, 2, -1))
            lines[at] = resealed(lines[at].replace(mine, new, count))


def relink(lines: list[bytes], at: int) -> None:
    """Let the events after one refer to it, as far as they can, each with a new fingerprint."""
    stored = parse(lines[at])
    head: Head | None = stored.head if stored else None
    for number in range(at + 1, len(lines)):
        event = json.loads(lines[number])
        if head is None or event["metadata"]["correlation_uid"] != head.run_id:
            continue
        event["unmapped"]["attestation_list"][0]["prev_event"] = head.reference()
        lines[number] = sealed(event) + b"\n"
        stored = parse(lines[number])
        head = stored.head if stored else None


ALTERATIONS: tuple[Alteration, ...] = (alter_bytes, alter_bytes, alter_event, alter_event, alter_form, alter_lines)
