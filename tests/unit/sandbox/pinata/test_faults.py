"""Faults injected into the simulated Pinata: what the client sees, and what has happened."""

import time

import httpx
import pytest

from rotator.sandbox.pinata.faults import (
    BIG_BODY_BYTES,
    BOMB_BYTES,
    Damage,
    Drop,
    Injection,
    Omit,
    Operation,
    Respond,
    Side,
    Slow,
    Spoil,
)
from rotator.sandbox.pinata.switches import UNLIMITED, ErrorShape, Switches
from rotator.sandbox.pinata.tokens import claims_of
from rotator.sandbox.pinata.wire import HangUp
from tests.unit.sandbox.pinata.served import FILES, Pinata


@pytest.mark.parametrize("how", HangUp)
@pytest.mark.parametrize(("side", "names"), [(Side.BEFORE, []), (Side.AFTER, ["a"])])
def test_a_dropped_connection(pinata: Pinata, how: HangUp, side: Side, names: list[str]) -> None:
    """The client sees a transport error; the key exists only if the drop came after the effect."""
    pinata.inject(Drop(side, how), Operation.CREATE)
    expected = httpx.RemoteProtocolError if how is HangUp.CLOSE else httpx.ReadError
    with pytest.raises(expected):
        pinata.create()
    assert pinata.names() == ["managing key", *names]
    assert pinata.site.log[-1].status is None
    assert pinata.create("b").status_code == 200


@pytest.mark.parametrize(("side", "names"), [(Side.BEFORE, []), (Side.AFTER, ["a"])])
@pytest.mark.parametrize(
    "fault",
    [
        Respond(Side.BEFORE, 429, headers=(("Retry-After", "1"),)),
        Respond(Side.BEFORE, 500),
        Respond(Side.BEFORE, 502, "<html></html>", "text/html"),
        Respond(Side.BEFORE, 401, '{"error": "no"}'),
        Respond(Side.BEFORE, 403),
        Respond(Side.BEFORE, 302, headers=(("Location", "http://127.0.0.1:1/"),)),
    ],
    ids=lambda fault: str(fault.status),
)
def test_another_answer(pinata: Pinata, fault: Respond, side: Side, names: list[str]) -> None:
    """The client gets exactly the injected answer, once."""
    pinata.inject(Respond(side, fault.status, fault.body, fault.content_type, fault.headers), Operation.CREATE)
    answer = pinata.create()
    assert (answer.status_code, answer.text) == (fault.status, fault.body)
    assert answer.headers["Content-Type"] == fault.content_type
    assert dict(fault.headers).items() <= {k.title(): v for k, v in answer.headers.items()}.items()
    assert pinata.names() == ["managing key", *names]
    assert pinata.create("b").status_code == 200


@pytest.mark.parametrize(("side", "names"), [(Side.BEFORE, []), (Side.AFTER, ["a"])])
def test_a_slow_answer(pinata: Pinata, side: Side, names: list[str]) -> None:
    """A client that gives up sees a timeout; a stop of the server does not wait for the delay."""
    pinata.inject(Slow(side, 3600), Operation.CREATE)
    with pytest.raises(httpx.ReadTimeout):
        pinata.http.post("/v3/api_keys", json={"keyName": "a", "permissions": FILES}, timeout=0.3)
    if side is Side.AFTER:
        assert pinata.site.wait_for(1, timeout_s=600)
    assert pinata.names() == ["managing key", *names]
    assert pinata.http.get("/v3/api_keys").status_code == 200


def test_a_slow_answer_still_comes(pinata: Pinata) -> None:
    """After the delay the true answer follows."""
    pinata.inject(Slow(Side.BEFORE, 0.05), Operation.CREATE)
    started = time.monotonic()
    assert pinata.create().status_code == 200
    assert time.monotonic() - started >= 0.05


def test_a_cut_off_body(pinata: Pinata) -> None:
    """Less is sent than promised, and the key exists all the same."""
    pinata.inject(Spoil(Damage.CUT_OFF), Operation.CREATE)
    with pytest.raises(httpx.RemoteProtocolError):
        pinata.create()
    assert pinata.names() == ["managing key", "a"]


def test_damaged_answers(pinata: Pinata) -> None:
    """Each damage leaves the status 200 and does what it says to the body."""
    seen: dict[Damage, httpx.Response] = {}
    for damage in set(Damage) - {Damage.CUT_OFF, Damage.GZIP_BOMB}:
        pinata.inject(Spoil(damage), Operation.CREATE)
        seen[damage] = pinata.create(damage)
    assert {answer.status_code for answer in seen.values()} == {200}
    assert seen[Damage.HTML].text.startswith("<!DOCTYPE html>")
    assert seen[Damage.HTML].headers["Content-Type"].startswith("text/html")
    assert seen[Damage.EMPTY].content == b""
    assert isinstance(seen[Damage.WRONG_TYPE].json(), list)
    assert set(seen[Damage.WRONG_VALUES].json().values()) == {7}
    assert set(seen[Damage.EXTRA_FIELDS].json()) > {"JWT", "plan"}
    assert len(seen[Damage.BIG].content) == BIG_BODY_BYTES
    assert set(seen[Damage.BIG].json()) == {"JWT", "pinata_api_key", "pinata_api_secret"}
    foreign = seen[Damage.FOREIGN_JWT].json()
    assert claims_of(foreign["JWT"])["scopedKeyKey"] != foreign["pinata_api_key"]
    assert pinata.authenticate(foreign["JWT"]).status_code == 401
    assert len(pinata.names()) == 1 + len(seen)


def test_a_gzip_bomb(pinata: Pinata) -> None:
    """A small body unpacks to 64 MiB."""
    pinata.inject(Spoil(Damage.GZIP_BOMB), Operation.LIST)
    with pinata.http.stream("GET", "/v3/api_keys") as answer:
        packed = int(answer.headers["Content-Length"])
        unpacked = sum(map(len, answer.iter_bytes()))
    assert packed < 100_000
    assert unpacked == BOMB_BYTES


def test_damage_to_list_items_and_to_other_answers(pinata: Pinata) -> None:
    """A field is left out of every item; an answer that has no such part stays as it is."""
    pinata.inject(Omit("revoked"), Operation.LIST)
    assert "revoked" not in pinata.http.get("/v3/api_keys").json()["keys"][0]
    pinata.inject(Omit("keys"), Operation.LIST)
    assert set(pinata.http.get("/v3/api_keys").json()) == {"count"}
    pinata.inject(Spoil(Damage.FOREIGN_JWT), Operation.LIST)
    assert len(pinata.http.get("/v3/api_keys").json()["keys"]) == 1
    pinata.inject(Omit("JWT"), Operation.REVOKE)
    assert pinata.http.delete("/v3/api_keys/none").json() == "Revoked"
    pinata.switch(Switches(limits=UNLIMITED, v3_errors=ErrorShape.TEXT))
    pinata.inject(Omit("JWT"), Operation.FILES)
    refused = pinata.http.get("/v3/files/public", headers={"Authorization": "Bearer x"})
    assert refused.text == "Invalid/expired credentials"


def test_which_calls_a_fault_hits(pinata: Pinata) -> None:
    """Faults count the calls of their operation from the injection on; the first one wins."""
    with pinata.site.lock:
        faults = pinata.site.faults
        faults.add(Injection(Respond(Side.BEFORE, 500), Operation.LIST, nth=2, times=2))
        faults.add(Injection(Respond(Side.BEFORE, 503), Operation.LIST, nth=3, times=None))
        faults.add(Injection(Respond(Side.BEFORE, 502), None, nth=8))
    statuses = [pinata.http.get("/v3/api_keys").status_code for _ in range(6)]
    assert statuses == [200, 500, 500, 503, 503, 503]
    assert [pinata.create(name).status_code for name in "abc"] == [200, 502, 200]
    with pinata.site.lock:
        faults.clear()
    assert pinata.http.get("/v3/api_keys").status_code == 200
