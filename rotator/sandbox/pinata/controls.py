"""Controls of the simulated Pinata under `/_sandbox/`, for people and clients in other languages.

All bodies are JSON. Settings are spelled as `bodies` says. These calls are neither logged nor
limited, and need no credentials.

    GET    /_sandbox/keys      every key with its state, without secret and JWT
    POST   /_sandbox/keys      put a key in by hand; answers what a create answers
    GET    /_sandbox/requests  the answered requests, without anything secret
    GET    /_sandbox/switches  the switches
    POST   /_sandbox/switches  change those named, leave the others
    GET    /_sandbox/faults    the injections, spent or not
    POST   /_sandbox/faults    add one; no `operation`: any call; `times` null: for ever
    DELETE /_sandbox/faults    heal everything
    POST   /_sandbox/reset     back to the beginning: keys, switches, faults, requests, limits

Bodies:

    keys      {"name": "x", "permissions": {"admin": true}, "account": "sandbox", "max_uses": null}
    switches  {"page_size": 3, "activation": {"seconds": 5}, "generations": ["v3"]}
    faults    {"operation": "create", "nth": 2, "times": 1, "fault": FAULT}, with a FAULT like
              {"kind": "drop", "side": "after", "how": "reset"}
              {"kind": "respond", "side": "before", "status": 502, "body": "<html>",
               "content_type": "text/html", "headers": [["Retry-After", "2"]]}
              {"kind": "slow", "side": "before", "seconds": 5}
              {"kind": "spoil", "damage": "cut-off"}
              {"kind": "omit", "field": "JWT"}
"""

import json
from dataclasses import dataclass

from rotator.sandbox.pinata.bodies import decode, encode, updated
from rotator.sandbox.pinata.faults import Injection
from rotator.sandbox.pinata.scopes import Refused, parse_permissions
from rotator.sandbox.pinata.site import PinataSite
from rotator.sandbox.pinata.switches import Generation
from rotator.sandbox.pinata.wire import Answer, Request, created, iso_time, json_answer

PREFIX = "/_sandbox/"


def administer(site: PinataSite, request: Request) -> Answer:
    """Answer one control request; 400 says what is wrong with its body."""
    with site.lock:
        try:
            return _administer(site, request)
        except ValueError as error:
            return json_answer(400, {"error": str(error)})
        except Refused as refused:
            return json_answer(400, {"error": refused.details})


def _administer(site: PinataSite, request: Request) -> Answer:  # noqa: PLR0911 - one per control
    match request.method, request.path.removeprefix(PREFIX):
        case "GET", "keys":
            return json_answer(200, {"keys": _keys(site)})
        case "POST", "keys":
            return json_answer(200, _seed(site, json.loads(request.body)))
        case "GET", "requests":
            return json_answer(200, {"requests": [encode(line) for line in site.log]})
        case "POST", "switches":
            site.world.switches = updated(site.world.switches, json.loads(request.body))
            return json_answer(200, encode(site.world.switches))
        case "GET", "switches":
            return json_answer(200, encode(site.world.switches))
        case "POST", "faults":
            site.faults.add(decode(Injection, json.loads(request.body)))
        case "DELETE", "faults":
            site.faults.clear()
        case "GET", "faults":
            pass
        case "POST", "reset":
            site.reset()
        case _:
            return json_answer(404, {"error": "no such control"})
    return json_answer(200, {"faults": [encode(one) for one in site.faults.injections]})


def _keys(site: PinataSite) -> list[dict[str, object]]:
    return [
        {
            "key": record.key,
            "name": record.name,
            "account": record.account,
            "scopes": record.permissions.echo(site.world.switches),
            "max_uses": record.max_uses,
            "uses": record.uses,
            "created_at": iso_time(record.created_at),
            "revoked_at": None if record.revoked_at is None else iso_time(record.revoked_at),
        }
        for record in site.world.keys.values()
    ]


@dataclass(frozen=True, slots=True)
class _Seed:
    name: str
    account: str = "sandbox"
    max_uses: int | None = None


def _seed(site: PinataSite, body: object) -> dict[str, object]:
    given = dict(body) if isinstance(body, dict) else {}
    raw = given.pop("permissions", None)
    permissions = parse_permissions(raw, Generation.V3, site.world.switches)
    seed = decode(_Seed, given)
    record = site.world.seed(seed.name, permissions, account=seed.account, max_uses=seed.max_uses)
    return created(record)
