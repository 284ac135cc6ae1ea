"""The simulated Pinata over loopback HTTP: paths, answers, the log, hooks, connections."""

import contextlib
import http.client
import threading

import httpx
import pytest

from rotator.sandbox.pinata.faults import Operation, Side, Slow
from rotator.sandbox.pinata.server import BODY_BYTES_MAX
from rotator.sandbox.pinata.switches import UNLIMITED, ErrorShape, Generation, Switches
from tests.unit.sandbox.pinata.served import FILES, START, Pinata

CREATE = {
    Generation.LEGACY: ("POST", "/users/generateApiKey"),
    Generation.V3_PINATA: ("POST", "/v3/pinata/keys"),
    Generation.V3: ("POST", "/v3/api_keys"),
}
LIST = {Generation.LEGACY: "/users/apiKeys", Generation.V3_PINATA: "/v3/pinata/keys", Generation.V3: "/v3/api_keys"}


def revoke(pinata: Pinata, generation: Generation, key: str) -> httpx.Response:
    """Revoke a key by the path of a generation."""
    match generation:
        case Generation.LEGACY:
            return pinata.http.put("/users/revokeApiKey", json={"apiKey": key})
        case Generation.V3_PINATA:
            return pinata.http.put(f"/v3/pinata/keys/{key}")
        case Generation.V3:
            return pinata.http.delete(f"/v3/api_keys/{key}")


@pytest.mark.parametrize("generation", Generation)
def test_a_key_lives_and_dies_over_each_generation(pinata: Pinata, generation: Generation) -> None:
    """Create, list, use and revoke a key; every generation works on the same keys."""
    method, path = CREATE[generation]
    body = {"keyName": "a", "permissions": {"admin": True}}
    made = pinata.http.request(method, path, json=body)
    assert made.status_code == 200
    assert set(made.json()) == {"JWT", "pinata_api_key", "pinata_api_secret"}
    for other in Generation:
        listed = pinata.http.get(LIST[other]).json()
        assert listed["count"] == 2
        assert listed["keys"][0]["key"] == made.json()["pinata_api_key"]
        assert listed["keys"][0]["createdAt"] == "2026-09-21T14:13:20.000Z"
    assert pinata.authenticate(made.json()["JWT"]).status_code == 200
    gone = revoke(pinata, generation, made.json()["pinata_api_key"])
    assert (gone.status_code, gone.content) == (200, b'"Revoked"')
    refused = pinata.authenticate(made.json()["JWT"])
    assert refused.status_code == 403
    assert refused.json()["error"]["reason"] == "API_KEY_REVOKED"
    assert pinata.http.get(LIST[generation]).json()["keys"][0]["revoked"] is True


def test_c1_a_generation_that_is_switched_off_does_not_exist(pinata: Pinata) -> None:
    """Only the switched generations answer; testAuthentication and files always do."""
    pinata.switch(Switches(limits=UNLIMITED, generations=frozenset({Generation.V3})))
    assert pinata.http.get("/v3/api_keys").status_code == 200
    for path in ("/users/apiKeys", "/v3/pinata/keys"):
        assert pinata.http.get(path).status_code == 404
    assert pinata.http.get("/data/testAuthentication").status_code == 200
    assert pinata.http.get("/v3/files/public").status_code == 200


def test_test_authentication_by_token_and_by_pair(pinata: Pinata) -> None:
    """Either form of credentials gets the documented greeting."""
    made = pinata.create().json()
    greeting = {"message": "Congratulations! You are communicating with the Pinata API!"}
    assert pinata.authenticate(made["JWT"]).json() == greeting
    pair = {"pinata_api_key": made["pinata_api_key"], "pinata_secret_api_key": made["pinata_api_secret"]}
    url = f"{pinata.server.url}/data/testAuthentication"
    with httpx.Client(trust_env=False) as bare:
        assert bare.get(url, headers=pair).json() == greeting
        assert bare.get(url).json()["error"]["reason"] == "KEYS_MUST_BE_STRINGS"


def test_v3_takes_no_key_pair(pinata: Pinata) -> None:
    """The legacy list takes the managing pair, the v3 list wants a bearer token."""
    record = next(iter(pinata.site.world.keys.values()))
    pair = {"pinata_api_key": record.key, "pinata_secret_api_key": record.secret}
    with httpx.Client(base_url=pinata.server.url, headers=pair, trust_env=False) as bare:
        assert bare.get("/users/apiKeys").status_code == 200
        assert bare.get("/v3/api_keys").status_code == 401


def test_scoped_endpoints(pinata: Pinata) -> None:
    """A files key opens v3 files and not the legacy pin list; the admin key opens both."""
    headers = {"Authorization": f"Bearer {pinata.create().json()['JWT']}"}
    files = pinata.http.get("/v3/files/public?limit=1", headers=headers)
    assert files.json() == {"data": {"files": [], "next_page_token": ""}}
    refused = pinata.http.get("/data/pinList", headers=headers)
    assert (refused.status_code, refused.json()["error"]["reason"]) == (403, "NO_SCOPES_FOUND")
    assert pinata.http.get("/data/pinList").json() == {"count": 0, "rows": []}


def test_list_query_over_http(pinata: Pinata) -> None:
    """Filters and offset are read from the query; a malformed one is a 400."""
    for number in range(12):
        pinata.create(f"up/{number}")
    page = pinata.http.get("/v3/api_keys", params={"name": "up/", "offset": 10, "revoked": "false"})
    assert [item["name"] for item in page.json()["keys"]] == ["up/1", "up/0"]
    for query in ("offset=x", "offset=-1", "revoked=1", "limitedUse=TRUE"):
        assert pinata.http.get(f"/v3/api_keys?{query}").status_code == 400


def test_a_key_in_the_path_is_unescaped_once(pinata: Pinata) -> None:
    """A percent-encoded slash belongs to the key, so nothing else is revoked by it."""
    key = pinata.create().json()["pinata_api_key"]
    assert pinata.http.delete(f"/v3/api_keys/x%2F{key}").status_code == 200
    assert pinata.http.delete(f"/v3/api_keys/%{ord(key[0]):02x}{key[1:]}").status_code == 200
    assert [r.revoked_at for r in pinata.site.world.keys.values()] == [None, START]
    template = pinata.site.log[-1].template
    assert template == "/v3/api_keys/{key}"


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"apiKey": 1}', b'{"apiKey": ""}', b"\xff"])
def test_a_bad_body_is_a_400(pinata: Pinata, body: bytes) -> None:
    """Malformed JSON, or JSON of another shape, changes nothing."""
    for method, path in (("POST", "/v3/api_keys"), ("PUT", "/users/revokeApiKey")):
        assert pinata.http.request(method, path, content=body).status_code == 400
    assert pinata.names() == ["managing key"]


def test_too_large_or_chunked_bodies_are_refused(pinata: Pinata) -> None:
    """A body without an acceptable length is a 400 and ends the connection."""
    chunked = pinata.http.post("/v3/api_keys", content=iter([b"{}"]))
    assert (chunked.status_code, chunked.headers["Connection"]) == (400, "close")
    bare = http.client.HTTPConnection("127.0.0.1", httpx.URL(pinata.server.url).port)
    with contextlib.closing(bare):
        bare.putrequest("POST", "/v3/api_keys")
        bare.putheader("Content-Length", str(BODY_BYTES_MAX + 1))
        bare.endheaders()
        assert bare.getresponse().status == 400
    assert pinata.names() == ["managing key"]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v3/api_keys/", 404),
        ("GET", "/v3/api_keys/a/b", 404),
        ("GET", "/v3/api_keys/{key}", 405),
        ("GET", "/users/%7Bkey%7D", 404),
        ("PATCH", "/v3/api_keys", 405),
        ("PUT", "/v3/api_keys/abc", 405),
        ("DELETE", "/v3/pinata/keys/abc", 405),
        ("POST", "/data/testAuthentication", 405),
    ],
)
def test_unknown_paths_and_methods(pinata: Pinata, method: str, path: str, status: int) -> None:
    """They get JSON, and a 405 says which methods there are."""
    answer = pinata.http.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()["error"]) == {"reason", "details"}
    assert ("Allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize(
    ("shape", "v3", "bad"),
    [
        (ErrorShape.STRING, {"error": "Not Authorized"}, {"error": "keyName is required"}),
        (
            ErrorShape.REASON_DETAILS,
            {"error": {"reason": "NOT_AUTHORIZED", "details": "Not Authorized"}},
            {"error": {"reason": "BAD_REQUEST", "details": "keyName is required"}},
        ),
        (
            ErrorShape.CODE_MESSAGE,
            {"error": {"code": 401, "message": "Not Authorized"}},
            {"error": {"code": 400, "message": "keyName is required"}},
        ),
        (ErrorShape.TEXT, "Not Authorized", "keyName is required"),
    ],
)
def test_u13_error_bodies(pinata: Pinata, shape: ErrorShape, v3: object, bad: object) -> None:
    """Errors on v3 paths and about bodies come in the switched shape, legacy ones in their own."""
    pinata.switch(Switches(limits=UNLIMITED, v3_errors=shape, bad_request_errors=shape))
    denied = httpx.Headers({"Authorization": "Bearer x.y.z"})
    no_scope = pinata.http.post(
        "/_sandbox/keys", json={"name": "g", "permissions": {"resources": ["org:groups:read"]}}
    ).json()
    headers = {"Authorization": f"Bearer {no_scope['JWT']}"}
    answers = [
        pinata.http.get("/v3/files/public", headers=headers),
        pinata.http.post("/v3/api_keys", json={"keyname": "a"}),
    ]
    seen = [a.text if shape is ErrorShape.TEXT else a.json() for a in answers]
    assert seen == [v3, bad]
    legacy = pinata.http.get("/users/apiKeys", headers=denied).json()
    assert legacy["error"]["reason"] == "INVALID_CREDENTIALS"


def test_the_log_counts_calls_and_keeps_no_secret(pinata: Pinata) -> None:
    """Each answered request has a line with template and status, and nothing from its headers."""
    made = pinata.create("telling name").json()
    pinata.http.delete(f"/v3/api_keys/{made['pinata_api_key']}")
    pinata.http.get("/v3/api_keys?name=telling")
    pinata.http.get("/nowhere")
    lines = [(line.number, line.method, line.template, line.status) for line in pinata.site.log]
    assert lines == [
        (1, "POST", "/v3/api_keys", 200),
        (2, "DELETE", "/v3/api_keys/{key}", 200),
        (3, "GET", "/v3/api_keys", 200),
        (4, "GET", "(unknown)", 404),
    ]
    assert pinata.site.count(Operation.CREATE) == 1
    text = repr(pinata.site.log)
    for secret in (pinata.jwt, *made.values(), "telling"):
        assert secret not in text


def test_hooks_see_the_effect_before_and_after_the_answer(pinata: Pinata) -> None:
    """The first hook runs when the key exists and the client still waits, the second afterwards."""
    answered = threading.Event()
    finished = threading.Event()
    seen: list[tuple[str, int, Operation, list[str], bool]] = []

    def before(number: int, operation: Operation) -> None:
        seen.append(("before", number, operation, pinata.names(), answered.is_set()))

    def after(number: int, operation: Operation) -> None:
        seen.append(("after", number, operation, pinata.names(), answered.wait(600)))
        finished.set()

    pinata.site.before_reply, pinata.site.after_reply = before, after
    pinata.create()
    answered.set()
    assert finished.wait(600)
    names = ["managing key", "a"]
    assert seen == [("before", 1, Operation.CREATE, names, False), ("after", 1, Operation.CREATE, names, True)]


def test_waiting_for_the_nth_request(pinata: Pinata) -> None:
    """A test can wait until so many requests were answered, with a limit."""
    pinata.create()
    assert pinata.site.wait_for(1, timeout_s=600)
    assert not pinata.site.wait_for(2, timeout_s=0.01)


def test_one_connection_carries_many_requests(pinata: Pinata) -> None:
    """Keep-alive holds over successes, errors and requests with bodies."""
    streams = set()
    for path in ("/v3/api_keys", "/nowhere", "/data/testAuthentication", "/_sandbox/keys"):
        with pinata.http.stream("GET", path) as answer:
            answer.read()
            streams.add(answer.extensions["network_stream"].get_extra_info("client_addr"))
            assert answer.headers["Connection"] == "keep-alive"
            assert answer.headers["Date"] == "Mon, 21 Sep 2026 14:13:20 GMT"
    assert len(streams) == 1


def test_many_clients_at_once_make_their_keys(pinata: Pinata) -> None:
    """Eight threads with their own connections make forty keys, all different."""

    def make(number: int) -> None:
        headers = {"Authorization": f"Bearer {pinata.jwt}"}
        with httpx.Client(base_url=pinata.server.url, headers=headers, trust_env=False) as own:
            for turn in range(5):
                body = {"keyName": f"n{number}-{turn}", "permissions": FILES}
                own.post("/v3/api_keys", json=body)

    threads = [threading.Thread(target=make, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pinata.names())) == 41
    assert [line.status for line in pinata.site.log] == [200] * 40


def test_stopping_ends_waits_connections_and_threads() -> None:
    """A stop does not wait for a slow answer or an idle client, and leaves no thread behind."""
    before = threading.active_count()
    served = Pinata()
    with served.http, served.server:
        served.http.get("/v3/api_keys")
        served.inject(Slow(Side.AFTER, 3600), Operation.CREATE)
        client = threading.Thread(target=_ignore_transport_errors, args=(served,))
        client.start()
        assert served.site.wait_for(2, timeout_s=600)
    client.join()
    assert threading.active_count() == before
    with pytest.raises(httpx.ConnectError):
        httpx.get(served.server.url, trust_env=False)


def _ignore_transport_errors(served: Pinata) -> None:
    try:
        served.create()
    except httpx.TransportError:
        return
