"""A consumer of the secret, as a service would be: it reads AWSCURRENT, calls Pinata with it, and counts refusals.

It knows nothing of rotation. It speaks the two wire protocols by itself, so that it shares no code with what it
judges. Over loopback only.
"""

import http.client
import json
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

PATH = "/v3/files/public?limit=1"
_CONNECT_S = 10.0
_PAUSE_S = 0.01


@dataclass(slots=True)
class Count:
    """What the consumer has seen so far."""

    calls: int = 0
    refused: int = 0
    keys: list[str] = field(default_factory=list)
    """The key ids it came across, in order."""
    problems: list[str] = field(default_factory=list)


class Consumer:
    """A context manager; while it is open, a thread reads the secret and calls Pinata.

    Args:
        pinata_url: where Pinata is.

        aws_url: where Secrets Manager is.

        secret_id: the secret to read.

        cache_s: how long a value is used before the secret is read again, as caching clients do.

        path: what is called at Pinata: a GET that the key is for.
    """

    def __init__(
        self, pinata_url: str, aws_url: str, secret_id: str, *, cache_s: float = 0.0, path: str = PATH
    ) -> None:
        self._pinata = urlsplit(pinata_url).netloc
        self._aws = urlsplit(aws_url).netloc
        self._secret_id = secret_id
        self._cache_s = cache_s
        self._path = path
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._consume, name="consumer", daemon=True)
        self.count = Count()

    def __enter__(self) -> Self:
        """Start consuming."""
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop consuming."""
        self._stop.set()
        self._thread.join(_CONNECT_S)

    def _consume(self) -> None:
        token, read_at = "", -self._cache_s
        try:
            with (
                closing(http.client.HTTPConnection(self._aws, timeout=_CONNECT_S)) as aws,
                closing(http.client.HTTPConnection(self._pinata, timeout=_CONNECT_S)) as pinata,
            ):
                while not self._stop.wait(_PAUSE_S):
                    if not token or time.monotonic() - read_at >= self._cache_s:
                        token, read_at = self._read(aws), time.monotonic()
                    self._call(pinata, token)
        except (OSError, http.client.HTTPException, ValueError, KeyError) as error:
            self.count.problems.append(type(error).__name__)

    def _read(self, aws: http.client.HTTPConnection) -> str:
        headers = {
            "Content-Type": "application/x-amz-json-1.1",
            "X-Amz-Target": "secretsmanager.GetSecretValue",
            "Authorization": "AWS4-HMAC-SHA256 "
            "Credential=consumer/20260101/eu-central-1/secretsmanager/aws4_request, "
            "SignedHeaders=host, Signature=0",
        }
        aws.request("POST", "/", json.dumps({"SecretId": self._secret_id}), headers)
        value = json.loads(json.loads(aws.getresponse().read())["SecretString"])
        if value["pinata_api_key"] not in self.count.keys:
            self.count.keys.append(value["pinata_api_key"])
        return str(value["JWT"])

    def _call(self, pinata: http.client.HTTPConnection, token: str) -> None:
        pinata.request("GET", self._path, headers={"Authorization": f"Bearer {token}"})
        answer = pinata.getresponse()
        answer.read()
        self.count.calls += 1
        self.count.refused += answer.status != http.client.OK
