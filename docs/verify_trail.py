"""Check an audit trail of rotator without rotator: python3 verify_trail.py DIRECTORY [SIGNER or HEAD ...].

DIRECTORY is an audit directory, or a copy of what is below a bucket's prefix, as `aws s3 sync` makes it. A signer is
`sha256:HEX` or `"sha256:HEX until 2026-12-01T00:00:00+00:00"`, a head `NUMBER:HEX`. Needs the package `cryptography`.
"""

import base64
import json
import sys
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

UNSHOWN = "Not shown: that the newest runs were not removed with their entries, or without a signer all of it made anew"
STARTS, ENDS = {"started", "repaired"}, {"ended", "recovered", "repaired"}
SCHEMES = {"ed25519": (), "ecdsa-p256-sha256": (ec.ECDSA(hashes.SHA256()),)}
canonical, found = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode, []  # RFC 8785


def check(where, claim, holds):
    """Note a claim that does not hold."""
    found.extend([] if holds else [f"{where}: not so: {claim}"])


def items(path):
    """Yield what is on each line. From a line that holds nothing on, all is lost, until an item accounts for it."""
    content, at, lost = path.read_bytes(), 0, None
    for line in content.splitlines(keepends=True) or [b""] * (path.suffix == ".json"):  # an object is never empty
        try:
            item = json.loads(line) if canonical(json.loads(line)).encode() + b"\n" == line else None
        except ValueError:
            item = None
        torn = item and item.get("unmapped", item).get("torn")
        lost = at if lost is None and (torn or item is None) else lost
        if torn:
            told = torn.get("offset", lost), torn["length"], torn.get("sha256") or torn["fingerprint"]["value"]
            lost = None if told == (lost, at - lost, sha256(content[lost:at]).hexdigest()) else lost
        if lost is None:
            yield item
        at += len(line)
    check(path, "it is a file, and each line is whole or accounted for", lost is None and not path.is_symlink())


def runs_in(top):
    """Check each event, where it lies and what it follows; return each run as its last event left it."""
    runs = {}
    for path in [*sorted(top.glob("*.jsonl")), *sorted(top.glob(f"*/{'[0-9]' * 13}-*Z-*/{'[0-9]' * 6}.json"))]:
        for row, event in enumerate(items(path)):
            more, meta, api, home, name = event["unmapped"], event["metadata"], event["api"], path, path
            kind, run_id, call = more["kind"], meta["correlation_uid"], api["request"]["uid"]
            if path.suffix == ".json":  # an object, which is named for its first event
                home, secret = path.parent, event["resources"][0]["name"]
                name = top / f"{secret}/{home.name[:31]}{run_id}/{meta['sequence'] - row:06}.json"
            run = runs.setdefault(run_id, {"home": home, "number": 0, "calls": {}})
            number = run["number"] = run["number"] + 1
            proof, where = more["attestation_list"][0], f"run {run_id}, event {number}"
            body = canonical(event).replace(f',"fingerprint":{canonical(proof["fingerprint"])}', "", 1).encode()
            check(where, "it is intact", proof["fingerprint"] == {"algorithm_id": 3, "value": sha256(body).hexdigest()})
            check(where, "it lies in its place", (home, name) == (run["home"], path))
            idle = kind == "ended" and more["outcome"] in {"up_to_date", "waiting"}
            told = meta["sequence"], meta["uid"], proof["chain_uid"], proof.get("prev_event"), kind in STARTS
            due = number, f"{run_id}.{number}", run_id, run.get("before"), number == 1 and not idle
            check(where, "it is a start, or follows from the one before", told == due and run.get("kind") not in ENDS)
            check(where, "its call has an intent", kind != "done" or run["calls"].get(call) == api["operation"])
            calls = {k: v for k, v in run["calls"].items() if repr(k) not in repr((call, more.get("unanswered")))}
            run["calls"] = calls | ({call: api["operation"]} if kind == "intent" else {})
            run["before"] = {"uid": meta["uid"], "type_uid": event["type_uid"], "fingerprint": proof["fingerprint"]}
            did = kind in {"intent", "recovered"} or (kind == "ended" and not idle)
            run |= {"kind": kind, "listed": more.get("listed"), "time": event["time"], "did": did or run.get("did")}
    return runs


def verify(top, known):
    """Check the ledger, each entry, its link, its run and its seal; return what was shown."""
    runs, latest, before, sealed = runs_in(top), 0, "", 0
    pins = dict(one.partition(" until ")[::2] for one in known if one.startswith("sha256:"))
    folder = sorted(top.glob(".ledger/*"), reverse=True) or [*top.glob(".ledger")]
    entries = [entry for path in folder for entry in items(path)]
    named = [top / f".ledger/{9_999_999_999 - number:010}.json" for number in range(1, len(entries) + 1)]
    check("the ledger", "it is one file, or one object for each entry", folder in (named, [top / ".ledger"]))
    for number, entry in enumerate(entries, start=1):
        bare, where, latest = {**entry}, f"entry {number}", max(latest, entry["time"])
        own, seal, run = bare.pop("hash"), bare.pop("seal", None), runs.setdefault(entry["run_id"], {})
        due = sha256(message := canonical(bare).encode()).hexdigest(), entries[0]["place"], number, before
        check(where, "it is unaltered, and follows", (own, entry["place"], entry["number"], entry["prev"]) == due)
        check(where, "its run ends as it says", run and run["before"]["fingerprint"]["value"] == entry["fingerprint"])
        if seal:
            key, signature = (base64.b64decode(seal[name], validate=True) for name in sorted(seal)[1:])  # and no more
            serialization.load_der_public_key(key).verify(signature, message, *SCHEMES[seal["algorithm"]])
            signer = f"sha256:{sha256(key).hexdigest()}"
            until = datetime.fromisoformat(pins.get(signer) or "9999-01-01T00:00:00+00:00").timestamp() * 1000
            check(where, "its signer is trusted", latest < until and (signer in pins or not pins))
        before, run["entry"], sealed = own, entry, number if seal else sealed
    check("the trail", "it has an event, and its end is sealed", runs and (not pins or sealed == len(entries)))
    for head in (one.partition("@")[0] for one in known if not one.startswith("sha256:")):
        check(f"head {head}", "the ledger has it", any(f"{e['number']}:{e['hash']}".startswith(head) for e in entries))
    for run_id, run in runs.items():
        due = run.get("listed") or (entries and run.get("did") and run["time"] > entries[0]["time"])
        ended = run.get("kind") in ENDS and not run["calls"]
        check(f"run {run_id}", "it ended, and is listed if it did something", ended and ("entry" in run or not due))
    return f"{len(runs)} chains, {len(entries)} of them listed up to {before[:16]}, sealed up to entry {sealed}"


def main(directory, *known):
    """Check a trail; print what does not hold, and what was shown; return 1 if anything was found."""
    found.clear()
    try:
        shown = verify(Path(directory), {*known})
    except Exception as error:  # what is malformed breaks off the check, and is a finding itself
        found.append(shown := f"it cannot be read, or a seal does not fit ({type(error).__name__}: {error})")
    print(*found, f"{'BROKEN' if found else 'intact'}: {shown}. {UNSHOWN}", sep="\n")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
