"""The page over real sockets: where it listens, what it refuses, how it ends; and what the wheel holds of it."""

import contextlib
import socket
import subprocess
import sys
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from rotator.model.errors import ConfigError
from rotator.model.status import FleetStatus
from rotator.page import serve, server
from rotator.page.server import BODY_MAX_BYTES, HEADERS_MAX_BYTES
from rotator.page.sources import Told
from tests.page_fleets import THREE, many, sources

ROOT = Path(__file__).parents[2]
ANY_PORT = ("127.0.0.1", 0)


@pytest.fixture
def serving() -> Iterator[str]:
    """Serve three secrets on a free port."""
    with serve(ANY_PORT, sources()) as serving:
        yield serving


def told(serving: str, request: bytes) -> bytes:
    """Send raw bytes and return everything that comes back until the server closes."""
    url = httpx.URL(serving)
    assert url.port
    with socket.create_connection((url.host, url.port), timeout=600) as stream:
        stream.sendall(request)
        answer = b""
        with contextlib.suppress(ConnectionResetError):  # it does not read on what it refused
            while chunk := stream.recv(65_536):
                answer += chunk
    return answer


def test_get_and_head(serving: str) -> None:
    """GET and HEAD answer with the same headers, HEAD without a body, and no header tells the software."""
    with httpx.Client(base_url=serving) as client:
        got, head = client.get("/"), client.head("/")
    assert got.status_code == head.status_code == 200
    assert "All 3 secrets are fine" in got.text
    assert head.content == b""
    assert {**got.headers, "date": ""} == {**head.headers, "date": ""}
    assert "server" not in got.headers
    assert "via" not in got.headers


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: a\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n", b"421"),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET evil.example/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", b"200"),
        (b"GET / HTTP/1.0\r\n\r\n", b"400"),
        (b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc", b"405"),
        (b"TRACE / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"405"),
        (b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET /style.css%00 HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n", b"404"),
        (b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nX: " + b"a" * HEADERS_MAX_BYTES + b"\r\n\r\n", b"431"),
        (
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
            % (BODY_MAX_BYTES + 1)
            + b"a" * (BODY_MAX_BYTES + 1),
            b"413",
        ),
        (
            b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (BODY_MAX_BYTES * 9)
            + b"a" * (BODY_MAX_BYTES * 9)
            + b"\r\n0\r\n\r\n",
            b"413",
        ),
    ],
)
def test_what_comes_over_the_wire(serving: str, request_bytes: bytes, status: bytes) -> None:
    """Requests that are no good are refused with the right status, and the next one is answered."""
    answer = told(serving, request_bytes)
    assert answer.split(b" ")[1] == status, answer[:200]
    assert b"waitress" not in answer
    assert b"Traceback" not in answer
    assert httpx.get(serving + "/livez").text == "ok\n"


@contextlib.contextmanager
def dribbling(serving: str, connections: int) -> Iterator[list[socket.socket]]:
    """Hold connections open, each of which sends a byte of a request's header now and then."""
    url, over = httpx.URL(serving), threading.Event()
    assert url.port
    held = [socket.create_connection((url.host, url.port), timeout=600) for _ in range(connections)]

    def dribble() -> None:
        while not over.wait(0.05):
            for stream in held:
                with contextlib.suppress(OSError):  # it has been closed
                    stream.send(b"G")

    sender = threading.Thread(target=dribble)
    sender.start()
    try:
        yield held
    finally:
        over.set()
        sender.join()
        for stream in held:
            stream.close()


def test_slow_connections_starve_no_probe(serving: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """More connections than there is room for, none of which ends its request, leave room for a probe."""
    monkeypatch.setattr(server, "REQUEST_S", 3600)
    with dribbling(serving, 2 * server.CONNECTIONS_MAX + 20):
        assert [httpx.get(f"{serving}/livez", timeout=60).text for _ in range(5)] == ["ok\n"] * 5


def test_a_request_has_a_deadline_as_a_whole(serving: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A byte now and then buys no time: the connection is closed."""
    monkeypatch.setattr(server, "REQUEST_S", 1)
    with dribbling(serving, 3) as held:
        for stream in held:
            stream.settimeout(60)
            with contextlib.suppress(ConnectionResetError):
                assert stream.recv(100) == b""
    assert httpx.get(f"{serving}/livez").text == "ok\n"


def test_readers_do_not_wait_for_each_other() -> None:
    """A source that hangs for one reader holds up no probe."""
    let_go = threading.Event()

    def slow(_: str) -> Told:
        let_go.wait(600)
        return Told(())

    with serve(ANY_PORT, sources(timeline=slow)) as serving, ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{serving}/secret/uploader", timeout=600)
        try:
            assert httpx.get(f"{serving}/livez").text == "ok\n"
            assert not waiting.done()
        finally:
            let_go.set()
        assert waiting.result().status_code == 200


@pytest.mark.slow
def test_a_large_fleet_over_the_wire() -> None:
    """Ten thousand secrets are served to eight readers at once, whole pages each."""
    with serve(ANY_PORT, sources(many())) as serving, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: httpx.get(f"{serving}/?page={n}", timeout=600), range(1, 17)))
    assert all(answer.text.count("/secret/tenant-") == 100 for answer in answers)


def test_it_ends_with_the_block() -> None:
    """When the block ends, also by an error, nobody listens and no thread is left, though a connection is open."""
    before = set(threading.enumerate())
    url = ""

    def fail() -> None:
        nonlocal url
        with serve(ANY_PORT, sources()) as serving, httpx.Client(base_url=serving) as client:
            url = serving
            assert client.get("/livez").text == "ok\n"  # the connection stays open
            raise InterruptedError

    start = time.monotonic()
    with pytest.raises(InterruptedError):
        fail()
    assert time.monotonic() - start < 60
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    deadline = time.monotonic() + 60
    while set(threading.enumerate()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    assert set(threading.enumerate()) <= before


def test_a_port_can_be_taken_again_at_once() -> None:
    """A daemon that restarts finds its port free."""
    with serve(ANY_PORT, sources()) as serving:
        port = httpx.URL(serving).port
        assert port
        httpx.get(serving)
    with serve(("127.0.0.1", port), sources()) as again:
        assert again == serving


def test_ipv6() -> None:
    """An IPv6 loopback address works, and its URL has brackets."""
    with serve(("::1", 0), sources()) as serving:
        assert serving.startswith("http://[::1]:")
        assert httpx.get(f"{serving}/livez").text == "ok\n"


@pytest.mark.parametrize("address", ["0.0.0.0", "::"])  # noqa: S104 - what is refused
def test_others_reach_it_only_by_name(address: str) -> None:
    """Beyond loopback the page is served only if it is told under which names."""
    with pytest.raises(ConfigError, match="refused to serve") as refused, serve((address, 0), sources()):
        pass
    assert "host names" in refused.value.next_step
    named = sources(hosts=frozenset({"status.example.org"}))
    with serve((address, 0), named) as serving:
        port = httpx.URL(serving).port
        url = f"http://{'[::1]' if '[' in serving else '127.0.0.1'}:{port}/livez"
        assert httpx.get(url).text == "ok\n"
        assert httpx.get(url, headers={"Host": "status.example.org"}).text == "ok\n"
        assert httpx.get(url, headers={"Host": "evil.example"}).status_code == 421


def test_addresses_that_cannot_be_listened_on(serving: str) -> None:
    """A port that is taken and an address that is no address are errors with a next step."""
    port = httpx.URL(serving).port
    assert port
    with pytest.raises(ConfigError, match="cannot listen on"), serve(("127.0.0.1", port), sources()):
        pass
    with pytest.raises(ConfigError, match="no such port"), serve(("127.0.0.1", 70_000), sources()):
        pass
    with pytest.raises(ConfigError, match="cannot listen"), serve(("127.0.0.1", -1), sources()):
        pass


def test_the_wheel_holds_the_templates(tmp_path: Path) -> None:
    """What is installed has every template and asset of the page."""
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=600)
    [wheel] = tmp_path.glob("*.whl")
    folder = ROOT / "rotator" / "page"
    assets = {p for p in folder.rglob("*") if p.suffix in {".html", ".css", ".svg"}}
    assert len(assets) >= 6
    wanted = {str(path.relative_to(ROOT)) for path in assets}
    assert wanted <= set(zipfile.ZipFile(wheel).namelist())


def test_the_whole_board_is_taken_once_per_request() -> None:
    """One page is made from one fleet, so that it does not contradict itself."""
    taken = []

    def fleet() -> FleetStatus:
        taken.append(1)
        return THREE

    with serve(ANY_PORT, sources(fleet)) as serving:
        httpx.get(serving)
    assert len(taken) == 1
