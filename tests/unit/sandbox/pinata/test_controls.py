"""The controls of the simulated Pinata under `/_sandbox/`."""

import json

import pytest

from rotator.sandbox.pinata.faults import Damage, Drop, Injection, Omit, Operation, Respond, Side, Slow, Spoil
from rotator.sandbox.pinata.switches import UNLIMITED, Generation, RateLimits, Switches
from rotator.sandbox.pinata.wire import HangUp
from tests.unit.sandbox.pinata.served import Pinata


def test_control_keys(pinata: Pinata) -> None:
    """Keys can be put in by hand and looked at, without their secrets."""
    body = {"name": "hand-made", "permissions": {"admin": True}, "account": "x", "max_uses": 5}
    made = pinata.http.post("/_sandbox/keys", json=body).json()
    assert pinata.authenticate(made["JWT"]).status_code == 200
    shown = pinata.http.get("/_sandbox/keys")
    record = shown.json()["keys"][1]
    assert record["key"] == made["pinata_api_key"]
    assert (record["name"], record["account"], record["max_uses"]) == ("hand-made", "x", 5)
    assert made["pinata_api_secret"] not in shown.text
    assert made["JWT"] not in shown.text


def test_control_switches(pinata: Pinata) -> None:
    """The switches named are changed, the others stay; the answer reads back as it is written."""
    change = {
        "page_size": 1,
        "generations": ["v3"],
        "activation": {"seconds": 5},
        "jwt_lifetime_s": None,
        "limits": {"data_per_minute": 7},
    }
    shown = pinata.http.post("/_sandbox/switches", json=change).json()
    assert shown == pinata.http.get("/_sandbox/switches").json()
    switches = pinata.site.world.switches
    assert switches.page_size == 1
    assert switches.generations == frozenset({Generation.V3})
    assert switches.activation.seconds == 5
    assert switches.jwt_lifetime_s is None
    assert switches.limits == RateLimits(data_per_minute=7)
    assert pinata.http.post("/_sandbox/switches", json=shown).json() == shown
    assert pinata.site.world.switches == switches


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("switches", "[]"),
        ("switches", "{"),
        ("switches", '{"pages": 1}'),
        ("switches", '{"page_size": "1"}'),
        ("switches", '{"order": "upwards"}'),
        ("switches", '{"generations": "v3"}'),
        ("faults", "{}"),
        ("faults", '{"fault": {"kind": "flood"}}'),
        ("faults", '{"fault": {"kind": "drop"}}'),
        ("faults", '{"fault": {"kind": "drop", "side": "after"}, "nth": null}'),
        ("keys", "{}"),
        ("keys", '{"name": "x", "permissions": {"admin": 1}}'),
        ("keys", '{"permissions": {"admin": true}}'),
    ],
)
def test_controls_refuse_what_they_do_not_know(pinata: Pinata, path: str, body: str) -> None:
    """A malformed control body is a 400 that says why, and changes nothing."""
    before = pinata.http.get("/_sandbox/switches").json()
    answer = pinata.http.post(f"/_sandbox/{path}", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert pinata.http.get("/_sandbox/switches").json() == before
    assert pinata.names() == ["managing key"]
    assert pinata.site.faults.injections == ()


@pytest.mark.parametrize(
    "injection",
    [
        Injection(Drop(Side.AFTER, HangUp.RESET), Operation.CREATE, 2, None),
        Injection(Respond(Side.BEFORE, 502, "<p>", "text/html", (("A", "b"), ("C", "d")))),
        Injection(Slow(Side.BEFORE, 0.5), Operation.LIST),
        Injection(Spoil(Damage.BIG)),
        Injection(Omit("JWT"), Operation.PINS, times=3),
    ],
    ids=lambda injection: type(injection.fault).__name__,
)
def test_control_faults(pinata: Pinata, injection: Injection) -> None:
    """Every kind of fault can be injected, read back, sent again and cleared."""
    with pinata.site.lock:
        pinata.site.faults.add(injection)
    shown = pinata.http.get("/_sandbox/faults").json()["faults"]
    assert pinata.http.delete("/_sandbox/faults").json() == {"faults": []}
    again = pinata.http.post("/_sandbox/faults", json=json.loads(json.dumps(shown[0])))
    assert again.json()["faults"] == shown
    assert pinata.site.faults.injections == (injection,)


def test_control_requests_and_reset(pinata: Pinata) -> None:
    """The log can be read; a reset leaves the keys that were there at the start."""
    pinata.create()
    pinata.http.post("/_sandbox/switches", json={"page_size": 1})
    line = pinata.http.get("/_sandbox/requests").json()["requests"][0]
    assert (line["number"], line["operation"], line["status"]) == (1, "create", 200)
    pinata.http.post("/_sandbox/reset")
    assert pinata.names() == ["managing key"]
    assert pinata.site.log == ()
    assert pinata.site.world.switches == Switches(limits=UNLIMITED)
    assert pinata.authenticate(pinata.jwt).status_code == 200


def test_unknown_controls(pinata: Pinata) -> None:
    """A control that does not exist is a 404 and no request."""
    assert pinata.http.get("/_sandbox/nothing").status_code == 404
    assert pinata.site.log == ()
