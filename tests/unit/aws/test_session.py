"""Which region, which endpoint and which way a session's clients take, botocore's own included."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, SSLError

from rotator.aws.causes import settings_cause
from rotator.aws.faults import settings_error
from rotator.aws.session import assumed_session, identity_of, own_session, secrets_manager_client
from rotator.model.errors import (
    ConfigError,
    Remedy,
    RotatorError,
    StoreDeniedError,
    StoreUnavailableError,
    StoreUntrustedError,
)
from tests.certificates import self_signed, serving

TOKEN = "web-identity-token-canary"
ROLE = "arn:aws:iam::123456789012:role/rotator"
GIVEN = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIAGIVEN</AccessKeyId><SecretAccessKey>s</SecretAccessKey>
<SessionToken>t</SessionToken><Expiration>2099-01-01T00:00:00Z</Expiration></Credentials>
</AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"""


class Listener:
    """A host that remembers what it was sent."""

    def __init__(self, status: int, body: str) -> None:
        received: list[str] = []

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                received.append(f"{self.requestline} {self.rfile.read(length).decode()}")
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.received = received
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"


@contextmanager
def listening(status: int = 200, body: str = GIVEN) -> Iterator[Listener]:
    """Listen on loopback."""
    listener = Listener(status, body)
    thread = threading.Thread(target=listener.server.serve_forever)
    thread.start()
    try:
        yield listener
    finally:
        listener.server.shutdown()
        thread.join()
        listener.server.server_close()


@pytest.fixture
def _in_a_pod(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Give this process a web identity and nothing else."""
    token = tmp_path / "token"
    token.write_text(TOKEN)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    monkeypatch.setenv("AWS_ROLE_ARN", ROLE)


def profile(monkeypatch: pytest.MonkeyPatch, folder: Path, text: str) -> None:
    """Write AWS's configuration file."""
    (folder / "config").write_text(text)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(folder / "config"))


@pytest.mark.parametrize(
    ("configured", "variables", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        (None, {}, "sa-east-1"),
    ],
)
def test_which_region_goes_before_which(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, configured: str | None, variables: dict[str, str], region: str
) -> None:
    """The configuration, AWS_REGION, AWS_DEFAULT_REGION, the profile."""
    profile(monkeypatch, tmp_path, "[default]\nregion = sa-east-1\n")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert own_session(configured, variables, None).region_name == region


@pytest.mark.usefixtures("_in_a_pod")
def test_a_web_identity_goes_to_the_endpoint_that_was_checked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not to one that AWS's variables or its configuration file name behind our back."""
    with listening() as ours, listening() as theirs:
        profile(monkeypatch, tmp_path, f"[default]\nendpoint_url = {theirs.url}\n")
        for name in ("AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL"):
            monkeypatch.setenv(name, theirs.url)
        session = own_session("eu-central-1", {}, ours.url)
        assert identity_of(session, None) == "ASIAGIVEN"
        assert TOKEN in ours.received[0]
        assert theirs.received == []
        client = secrets_manager_client(session, None)
        assert client.meta.endpoint_url == "https://secretsmanager.eu-central-1.amazonaws.com"


@pytest.mark.usefixtures("_in_a_pod")
def test_a_proxy_does_not_see_what_goes_to_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever HTTP_PROXY says."""
    with listening() as ours, listening() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        session = own_session("eu-central-1", {}, ours.url)
        with pytest.raises((ClientError, KeyError)):
            secrets_manager_client(session, ours.url).get_secret_value(SecretId="x")["SecretString"]
        assert len(ours.received) == 2
        assert proxy.received == []


def sts_refuses(code: str, message: str) -> str:
    """Return a refusal of STS."""
    return f"<ErrorResponse><Error><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"


PROVIDER = "https://oidc.eks.eu-central-1.amazonaws.com/id/EXAMPLED539D4633E53DE1B716D3041E"


@pytest.mark.usefixtures("_in_a_pod")
@pytest.mark.parametrize(
    ("status", "body", "kind", "phrase"),
    [
        pytest.param(
            400,
            sts_refuses("InvalidIdentityToken", f"No OpenIDConnect provider found in your account for {PROVIDER}"),
            StoreDeniedError,
            f"the identity provider {PROVIDER} is not known to the role's account",
            id="unknown provider",
        ),
        pytest.param(
            400,
            sts_refuses("InvalidIdentityToken", "canary"),
            StoreDeniedError,
            "the web identity token is not valid",
            id="invalid token",
        ),
        pytest.param(
            400, sts_refuses("ExpiredTokenException", "x"), StoreDeniedError, "credentials do not hold", id="expired"
        ),
        pytest.param(
            403,
            sts_refuses("AccessDenied", "Not authorized to perform sts:AssumeRoleWithWebIdentity"),
            StoreDeniedError,
            "lacks `sts:AssumeRoleWithWebIdentity`",
            id="denied",
        ),
        pytest.param(
            400, sts_refuses("ValidationError", "canary"), StoreDeniedError, "was refused", id="no such role's form"
        ),
        pytest.param(500, "", StoreUnavailableError, "got no usable answer", id="ill"),
        pytest.param(400, sts_refuses("Throttling", "x"), StoreUnavailableError, "was throttled", id="throttled"),
        pytest.param(200, "<html>", StoreUnavailableError, "no usable answer", id="another's answer"),
    ],
)
def test_what_sts_says_is_told(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, kind: type[RotatorError], phrase: str
) -> None:
    """A person is called where one is needed; a moment's trouble is the next run's."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with listening(status, body) as sts, pytest.raises(RotatorError) as caught:
        own_session("eu-central-1", {}, sts.url)
    assert type(caught.value) is kind
    assert phrase in caught.value.message
    assert "canary" not in caught.value.message
    assert caught.value.__context__ is None


def test_sts_out_of_reach_for_a_moment_is_the_next_run_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the account nor the role can be asked for: nothing is wrong with the configuration."""
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with listening() as gone:
        pass
    session = own_session("eu-central-1", {}, gone.url)
    role = assumed_session(session, ROLE, gone.url)
    for acting, account in ((session, "123456789012"), (role, None)):
        with pytest.raises(StoreUnavailableError, match=r"127\.0\.0\.1 refused the connection") as caught:
            identity_of(acting, account)
        assert caught.value.remedy is Remedy.NEXT_RUN


def test_a_region_nobody_knows_whose_host_does_not_resolve() -> None:
    """A misspelt region is the configuration's; the host of a known one that does not resolve is the network's."""
    for region, kind in (("eu-central-7", ConfigError), ("eu-central-1", StoreUnavailableError)):
        failure = EndpointConnectionError(endpoint_url=f"https://sts.{region}.amazonaws.com/", error=_unresolved())
        cause = settings_cause(failure)
        assert cause.error is kind
        assert f"sts.{region}.amazonaws.com does not resolve" in cause.said
    assert isinstance(settings_error(failure), StoreUnavailableError)


def _unresolved() -> OSError:
    return socket.gaierror(socket.EAI_NONAME, "Name or service not known")


def test_a_host_that_is_not_trusted_is_asked_once(tmp_path: Path) -> None:
    """Repeating it does not help; who answers is said, and that a person is needed."""
    tls = serving(self_signed(tmp_path))
    attempts = []
    with listening() as host:
        host.server.socket = tls.wrap_socket(host.server.socket, server_side=True, do_handshake_on_connect=True)
        client = secrets_manager_client(own_session("eu-central-1", {}, None), host.url.replace("http:", "https:"))
        client.meta.events.register("before-send", lambda **_: attempts.append(1))
        with pytest.raises(SSLError) as caught:
            client.list_secrets()
    assert len(attempts) == 1
    error = settings_error(caught.value)
    assert isinstance(error, StoreUntrustedError)
    assert "the certificate of 127.0.0.1 is not trusted (self-signed certificate)" in error.message
