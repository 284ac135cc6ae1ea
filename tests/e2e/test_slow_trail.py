"""The daemon's page over an audit trail in S3 that does not answer."""

import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import boto3
import pytest
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import make_server

from tests.e2e.daemons import HANGS_S, Daemon
from tests.e2e.stage import Stage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment
    from mypy_boto3_s3 import S3Client

pytestmark = pytest.mark.slow  # it starts processes

BUCKET = "slow-trail"
WAITS = (
    "import botocore.config, rotator.aws.session as s\n"
    "real = s.client_config\n"
    f"s.client_config = lambda: real().merge(botocore.config.Config(read_timeout={HANGS_S}))"
)
"""A call that S3 does not answer never ends by itself."""


@dataclass
class SlowS3:
    """moto's S3, which holds back the objects whose path `held` picks."""

    url: str = ""
    held: Callable[[str], bool] = lambda _: False
    let_go: threading.Event = field(default_factory=threading.Event)
    moto: "WSGIApplication" = field(default_factory=lambda: DomainDispatcherApplication(create_backend_app))

    def __call__(self, environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        """Answer one call."""
        if environ["REQUEST_METHOD"] == "GET" and self.held(environ["PATH_INFO"]):
            self.let_go.wait(HANGS_S)
        return self.moto(environ, start)

    @property
    def client(self) -> "S3Client":
        """Return a client of a person."""
        return boto3.client(
            "s3",
            region_name="us-east-1",
            endpoint_url=self.url,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def paths(self) -> list[str]:
        """Return the path of each event, the newest run first."""
        listed = self.client.list_objects_v2(Bucket=BUCKET, Prefix="uploader/")["Contents"]
        return [f"/{BUCKET}/{found['Key']}" for found in listed]


@pytest.fixture
def s3(stage: Stage) -> Iterator[SlowS3]:
    """Serve S3 with an empty bucket, which alone has the trail of the stage."""
    slow = SlowS3()
    server = make_server("127.0.0.1", 0, slow, threaded=True)
    slow.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    slow.client.create_bucket(Bucket=BUCKET)
    stage.edit('directory = "audit"', f's3 = "s3://{BUCKET}"')
    stage.edit(f'endpoint_url = "{stage.sandbox.secrets_manager.endpoint_url}"', "")
    yield slow
    slow.let_go.set()
    for found in slow.client.list_objects_v2(Bucket=BUCKET)["Contents"]:
        slow.client.delete_object(Bucket=BUCKET, Key=found["Key"])
    slow.client.delete_bucket(Bucket=BUCKET)
    server.shutdown()
    thread.join()
    server.server_close()


def test_page_over_a_slow_bucket_holds_up_no_tick(stage: Stage, s3: SlowS3) -> None:
    """The page answers with what it has, ticks go on and rotate, and the end waits for no reading."""
    with Daemon(stage, patched=WAITS, env={"AWS_ENDPOINT_URL_S3": s3.url}) as daemon:

        def rotate(times: int) -> None:
            daemon.until(lambda: len(daemon.outcomes("rotated")) >= times, f"it did not rotate {times} times")

        def page() -> str:
            code, text = daemon.get("/secret/uploader")
            assert code == 200
            return text

        rotate(1)
        stage.own()
        rotate(2)
        text = page()
        assert "Only the newest part" not in text
        assert "Keys, the latest first" in text

        oldest, _, _ = s3.paths()[-1].rpartition("/")
        s3.held = lambda path: path.startswith(oldest)
        text = page()
        assert "Only the newest part of the audit trail is shown: it was not read to its end within 5 s." in text
        assert "Keys, the latest first" in text
        s3.held = lambda path: "/uploader/" in path
        assert "The audit trail cannot be read: nothing of it was read within 5 s" in page()
        began_s = time.monotonic()
        for _ in range(20):
            assert "The audit trail cannot be read: 2 readings of it are under way" in page()
        assert time.monotonic() - began_s < 20 * 5  # at once: it waits for none of them
        assert daemon.get("/livez")[0] == 200

        before = daemon.metric("rotator_last_tick_timestamp_seconds")
        assert before is not None
        daemon.until(lambda: (daemon.metric("rotator_last_tick_timestamp_seconds") or 0) > before + 3)
        stage.own()
        rotate(3)
        assert "2 readings of it are under way" in page()
        daemon.send(signal.SIGTERM)
        daemon.stopped()
    assert not s3.let_go.is_set()
    assert stage.live_keys() == [stage.sandbox.current_key_id()]
