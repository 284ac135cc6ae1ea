"""Check an audit trail of rotator without rotator: python3 verify_trail.py DIRECTORY [--signer S] [--expect HEAD].

DIRECTORY is an audit directory, or a copy of what is below a bucket's prefix, as `aws s3 sync` makes it. A signer is
`sha256:HEX`, or `sha256:HEX until 2026-12-01T00:00:00+00:00`; a head is `NUMBER:HEX`. Ends with 1 if anything is found.
"""

import argparse
import base64
import hashlib
import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    serialization = None  # seals cannot be checked
FOUND: list[str] = []
NOT_SHOWN = (
    "Not shown: whether the newest runs and their entries were removed together (give a head that you keep elsewhere), "
    "and, without a signer that you trust, whether all of it was made anew"
)


def check(where: object, **claims: bool) -> None:
    """Note each claim that does not hold."""
    FOUND.extend(f"{where}: not so: {claim.replace('_', ' ')}" for claim, holds in claims.items() if not holds)


def digest(value: object) -> str:
    """Return the SHA-256 of bytes, or of a value written in the one canonical way (RFC 8785; it has no fractions)."""
    return hashlib.sha256(value if isinstance(value, bytes) else canonical(value)).hexdigest()


def canonical(value: object) -> bytes:
    """Return that way to write it."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def items(path: Path, *, events: bool) -> list[Any]:
    """Return what is on each line; other lines are the remains of a crash, which the next item must account for."""
    remains, read = b"", []
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            item = json.loads(line)
            _, torn = (
                (item["unmapped"]["kind"], item["unmapped"].get("torn")) if events else (item["hash"], item.get("torn"))
            )
            check(path, each_line_is_in_canonical_form=canonical(item) + b"\n" == line)
        except (ValueError, TypeError, LookupError, AttributeError):
            remains += line
            continue
        claim = torn and (torn["length"], torn["sha256"] if "sha256" in torn else torn["fingerprint"]["value"])
        check(path, remains_are_accounted_for=claim == ((len(remains), digest(remains)) if remains else None))
        remains = b""
        read.append(item)
    check(path, it_is_no_link=not path.is_symlink(), it_ends_in_a_whole_line=not remains)
    return read


def check_run(run: str, events: list[Any]) -> tuple[str, bool]:
    """Check the chain of a run; return the fingerprint of its last event, and whether that says it is listed."""
    before, calls = None, dict[str, str]()
    for number, event in enumerate(events, start=1):
        (proof,), kind, call = event["unmapped"]["attestation_list"], event["unmapped"]["kind"], event["api"]
        bare = {key: value for key, value in proof.items() if key != "fingerprint"}
        body = {**event, "unmapped": {**event["unmapped"], "attestation_list": [bare]}}
        intent = calls.pop(call["request"]["uid"], "") if kind != "intent" else ""
        calls.pop(event["unmapped"].get("unanswered"), None)
        calls |= {call["request"]["uid"]: call["operation"]} if kind == "intent" else {}
        check(
            f"run {run}, event {number}",
            its_fingerprint_fits=digest(body) == proof["fingerprint"]["value"],
            its_number_is_the_next=(event["metadata"]["sequence"], event["metadata"]["uid"])
            == (number, f"{run}.{number}"),
            it_refers_to_the_one_before=proof.get("prev_event") == before,
            the_run_begins_with_a_start=number > 1 or kind in {"started", "repaired"},
            the_run_has_one_end=(kind in {"ended", "recovered", "repaired"}) == (number == len(events)),
            it_is_about_the_secret_of_its_run=secret(event) == secret(events[0]),
            an_outcome_has_an_intent=kind != "done" or intent == call["operation"],
        )
        before = {"uid": f"{run}.{number}", "type_uid": event["type_uid"], "fingerprint": proof["fingerprint"]}
    check(f"run {run}", each_intent_has_an_outcome=not calls)
    return proof["fingerprint"]["value"], event["unmapped"].get("listed", False)


def secret(event: Any) -> str:
    """Return the name of the secret that an event is about."""
    return next((found["name"] for found in event["resources"] if found["type"] == "secret"), "")


def is_sealed(entry: Any, message: bytes, signers: dict[str, str]) -> bool:
    """Check the seal of an entry, if it has one; tell whether it is by a signer that is trusted."""
    if not (seal := entry.get("seal")) or serialization is None:
        return False
    key, scheme = (
        base64.b64decode(seal["public_key"]),
        {"ed25519": (), "ecdsa-p256-sha256": (ec.ECDSA(hashes.SHA256()),)},
    )
    signature = base64.b64decode(seal["signature"], validate=True)
    serialization.load_der_public_key(key).verify(signature, message, *scheme[seal["algorithm"]])
    until = datetime.fromisoformat(
        signers.get(f"sha256:{digest(key)}", "1970-01-01T00:00:00Z") if signers else "9999-12-31T00:00:00Z"
    )
    check(
        f"entry {entry['number']}", its_seal_is_by_a_trusted_key=(trusted := entry["time"] < until.timestamp() * 1000)
    )
    return trusted


def runs_in(top: Path) -> dict[str, list[Any]]:
    """Return the events of each run, in the order in which they lie there."""
    runs, homes = dict[str, list[Any]](), dict[str, Path]()
    for path in [*sorted(top.glob("*.jsonl")), *sorted(top.glob("[!.]*/*/*.json"))]:
        is_object = path.suffix == ".json"
        found = items(path, events=True)
        check(path, it_holds_an_event=bool(found), it_was_finished=not path.name.endswith(".open.jsonl"))
        for event in found:
            run = event["unmapped"]["attestation_list"][0]["chain_uid"]
            home = homes.setdefault(run, path.parent if is_object else path)
            key = f"{secret(event)}/{path.parent.name[:31]}{run}/{event['metadata']['sequence']:06}.json"
            check(
                path, its_run_is_here_only=home in {path, path.parent}, its_name_fits=not is_object or path == top / key
            )
            runs.setdefault(run, []).append(event)
    return runs


def check_ledger(entries: list[Any], ends: dict[str, tuple[str, bool]], signers: list[str], heads: list[str]) -> str:
    """Check each entry, its link, its run and its seal; return what the ledger shows."""
    trusted = {key: until or "9999-12-31T00:00:00Z" for key, _, until in (one.partition(" until ") for one in signers)}
    before, place, sealed, listed, seen = "", "", 0, dict[str, str](), [""]
    for number, entry in enumerate(entries, start=1):
        message = canonical({key: value for key, value in entry.items() if key not in {"hash", "seal"}})
        place = place or entry["place"]
        check(
            f"entry {number}",
            its_hash_fits=digest(message) == entry["hash"],
            it_follows_from_the_one_before=[entry["place"], entry["number"], entry["prev"]] == [place, number, before],
            its_run_ends_as_it_says=entry["fingerprint"] == ends.get(entry["run_id"], ("",))[0],
        )
        before, listed[entry["run_id"]] = entry["hash"], entry["fingerprint"]
        seen.append(f"{number}:{before}")
        sealed = number if is_sealed(entry, message, trusted) else sealed
    check("the ledger", its_end_is_sealed=not signers or (sealed == len(entries) and serialization is not None))
    for head in heads:
        check(f"head {head}", the_ledger_has_it=any(one.startswith(head.partition("@")[0]) for one in seen))
    for run, (_, says_listed) in ends.items():
        check(f"run {run}", it_is_listed_as_it_says=run in listed or not says_listed)
    return f"{len(entries)} runs are listed, sealed up to entry {sealed}; the head is {seen[-1] or 'none'}"


def main(arguments: list[str] | None = None) -> int:
    """Check a trail; print what does not hold, and what was shown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    for option in ("--signer", "--expect"):
        parser.add_argument(option, action="append", default=[])
    given = parser.parse_args(arguments)
    FOUND.clear()
    shown = "a part of it is malformed"
    try:
        runs = runs_in(given.directory)
        folder = given.directory / ".ledger"
        paths = sorted(folder.glob("*"), reverse=True) if folder.is_dir() else [folder] if folder.exists() else []
        entries = [entry for path in paths for entry in items(path, events=False)]
        for path, entry in zip(paths, entries, strict=False) if folder.is_dir() else ():
            check(path, its_name_fits=path.name == f"{9_999_999_999 - entry['number']:010}.json")
        ends = {run: check_run(run, events) for run, events in runs.items()}
        shown = f"{len(runs)} runs; {check_ledger(entries, ends, given.signer, given.expect)}"
        check("the trail", it_has_an_event=bool(runs))
    except Exception as error:
        check(given.directory, **{f"it_can_be_read ({type(error).__name__}: {error})": False})
    unsealed = "" if serialization else "; seals were not checked: `cryptography` is not installed"
    print(*FOUND, f"{'BROKEN' if FOUND else 'intact'}: {shown}{unsealed}. {NOT_SHOWN}", sep="\n")
    return int(bool(FOUND))


if __name__ == "__main__":
    sys.exit(main())
