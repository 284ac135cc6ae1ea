"""Check an audit trail of rotator without rotator: python3 verify_trail.py DIRECTORY [--signer S] [--expect HEAD].

DIRECTORY is an audit directory, or a copy of what is below a bucket's prefix, as `aws s3 sync` makes it. A signer is
`sha256:HEX`, or `sha256:HEX until 2026-12-01T00:00:00+00:00`; a head is `NUMBER:HEX`. Ends with 1 if anything is found.
"""

import argparse
import base64
import hashlib
import json
import sys
from datetime import datetime
from pathlib import Path

try:
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
except ImportError:
    serialization = None
found = []
NOT_SHOWN = (
    "Not shown: that the newest runs were not removed with their entries (give a head that was kept elsewhere), and "
    "without a signer that you trust, that it was not all made anew"
)


def check(where, **claims):
    """Note each claim that does not hold."""
    found.extend(f"{where}: not so: {claim.replace('_', ' ')}" for claim, holds in claims.items() if not holds)


def canonical(value):
    """Return the one way to write a value (RFC 8785; a trail has no fractions)."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def sha256(content):
    """Return a hash in hex."""
    return hashlib.sha256(content).hexdigest()


def items(path, kind):
    """Yield what is on each line; other lines are the remains of a crash, which the next item must account for."""
    remains = b""
    for line in path.read_bytes().splitlines(keepends=True):
        try:
            item = json.loads(line)
            place = item["unmapped"] if kind == "event" else item
            _, torn = place["attestation_list" if kind == "event" else "hash"], place.get("torn") or {}
            check(path, each_line_is_in_canonical_form=canonical(item) + b"\n" == line)
        except (ValueError, TypeError, LookupError, AttributeError):
            remains += line
            continue
        claim = torn.get("length", 0), torn.get("sha256") or torn.get("fingerprint", {}).get("value", sha256(b""))
        check(path, remains_above_are_accounted_for=claim == (len(remains), sha256(remains)))
        remains = b""
        yield item
    check(path, it_is_no_link=not path.is_symlink(), it_ends_in_a_whole_line=not remains)


def runs_in(top):
    """Return the events of each run, in the order in which they lie there."""
    runs, homes = {}, {}
    for path in [*sorted(top.glob("*.jsonl")), *sorted(top.glob("[!.]*/*/*.json"))]:
        check(path, it_was_finished=not path.name.endswith(".open.jsonl"), it_is_not_empty=path.stat().st_size)
        for event in items(path, "event"):
            run, is_object = event["metadata"]["correlation_uid"], path.suffix == ".json"
            home = homes.setdefault(run, path.parent if is_object else path)
            check(path, all_of_a_run_is_in_one_place=home == (path.parent if is_object else path))
            if is_object:
                key = f"{event['resources'][0]['name']}/{path.parent.name[:31]}{run}/{event['metadata']['sequence']:06}"
                check(path, its_name_fits=path == top / f"{key}.json")
            runs.setdefault(run, []).append(event)
    return runs


def check_run(run, events):
    """Check the chain of a run; return its last fingerprint, whether it says that it is listed, and when it acted."""
    before, calls = None, {}
    for number, event in enumerate(events, start=1):
        more, meta, call = event["unmapped"], event["metadata"], event["api"]["request"]["uid"]
        (proof,), kind, operation = more["attestation_list"], more["kind"], event["api"]["operation"]
        bare = {key: value for key, value in proof.items() if key != "fingerprint"}
        body = canonical({**event, "unmapped": {**more, "attestation_list": [bare]}})
        check(
            f"run {run}, event {number}",
            its_fingerprint_fits=sha256(body) == proof["fingerprint"]["value"],
            its_number_is_the_next=(meta["sequence"], meta["uid"]) == (number, f"{run}.{number}"),
            it_refers_to_the_one_before=(proof["chain_uid"], proof.get("prev_event")) == (run, before),
            its_run_begins_with_a_start=number > 1 or kind in {"started", "repaired"},
            its_run_has_one_end=(kind in {"ended", "recovered", "repaired"}) == (number == len(events)),
            an_outcome_has_an_intent=kind != "done" or calls.get(call) == operation,
        )
        for answered in {call, more.get("unanswered")} & calls.keys():
            del calls[answered]
        calls |= {call: operation} if kind == "intent" else {}
        before = {"uid": meta["uid"], "type_uid": event["type_uid"], "fingerprint": proof["fingerprint"]}
    check(f"run {run}", each_intent_has_an_outcome=not calls)
    acted = more.get("outcome") not in {"up_to_date", "waiting", None} or any(
        event["unmapped"]["kind"] in {"intent", "recovered"} for event in events
    )
    return proof["fingerprint"]["value"], more.get("listed", False), acted and event["time"]


def is_sealed(entry, message, signers, latest):
    """Tell whether an entry has a seal by a signer that is trusted; one that does not fit raises an exception."""
    if "seal" not in entry or not serialization:
        return False
    key, signature = (base64.b64decode(entry["seal"][name], validate=True) for name in ("public_key", "signature"))
    scheme = {"ed25519": (), "ecdsa-p256-sha256": (ec.ECDSA(hashes.SHA256()),)}[entry["seal"]["algorithm"]]
    serialization.load_der_public_key(key).verify(signature, message, *scheme)
    name, _, until = next((s for s in signers if s.startswith(f"sha256:{sha256(key)}")), "").partition(" until ")
    end = datetime.fromisoformat(until or "9999-12-31T00:00:00+00:00").timestamp() * 1000
    trusted = bool(name or not signers) and latest < end
    check(f"entry {entry['number']}", its_signer_is_trusted=trusted)
    return trusted


def check_ledger(entries, ends, signers, heads):
    """Check each entry, its link, its run and its seal; return what the ledger shows."""
    before, sealed, listed, seen, latest = "", 0, {}, [""], 0
    for number, entry in enumerate(entries, start=1):
        message = canonical({key: value for key, value in entry.items() if key not in {"hash", "seal"}})
        follows = entry["place"], entry["number"], entry["prev"]
        check(
            f"entry {number}",
            its_hash_fits=sha256(message) == entry["hash"],
            it_follows_from_the_one_before=follows == (entries[0]["place"], number, before),
            its_run_ends_as_it_says=ends.get(entry["run_id"], ("",))[0] == entry["fingerprint"],
        )
        before, listed[entry["run_id"]] = entry["hash"], entry["fingerprint"]
        seen.append(f"{number}:{before}")
        latest = max(latest, entry["time"])
        sealed = number if is_sealed(entry, message, signers, latest) else sealed
    check("the ledger", its_end_is_sealed=not signers or sealed == len(entries))
    for head in heads:
        check(f"head {head}", the_ledger_has_it=any(one.startswith(head.partition("@")[0]) for one in seen))
    for run, (_, says_listed, acted_at) in ends.items():
        must = says_listed or (entries and acted_at and acted_at > entries[0]["time"])
        check(f"run {run}", it_is_listed_if_it_did_something=run in listed or not must)
    return f"{len(ends)} chains, {len(entries)} of them listed, sealed up to entry {sealed}; the head is {seen[-1]}"


def main(arguments=None):
    """Check a trail; print what does not hold, and what was shown."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--signer", action="append", default=[])
    parser.add_argument("--expect", action="append", default=[])
    given = parser.parse_args(arguments)
    found.clear()
    shown, ledger = "not all of it can be read", given.directory / ".ledger"
    try:
        runs, folder = runs_in(given.directory), sorted(ledger.glob("*"), reverse=True)
        entries = [entry for path in folder or [ledger] if path.exists() for entry in items(path, "entry")]
        for path, entry in zip(folder, entries, strict=bool(folder)):
            check(path, its_name_fits=path.name == f"{9_999_999_999 - entry['number']:010}.json")
        check("the trail", it_has_an_event=runs)
        ends = {run: check_run(run, events) for run, events in runs.items()}
        shown = check_ledger(entries, ends, given.signer, given.expect)
    except Exception as error:  # what is malformed breaks off the check, and is a finding itself
        check(given.directory, **{f"it can be read, and each seal fits ({type(error).__name__}: {error})": False})
    shown += "" if serialization else "; seals were NOT checked: `cryptography` is not installed"
    print(*found, f"{'BROKEN' if found else 'intact'}: {shown}. {NOT_SHOWN}", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main())
