"""KMS on loopback, as far as signing needs it: it signs with a key of its own, and can be told to refuse.

with kms_server() as kms:
    kms.url                                    for AWS_ENDPOINT_URL_KMS
    kms.refuse(400, "ThrottlingException")     each call from now on
    kms.calls                                  the operations, in order
"""

import base64
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

KEY_ARN = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"


class KmsServer:
    """One key, `arn`; `about` is what GetPublicKey tells of it, `refusal` what each call gets instead of an answer."""

    def __init__(self) -> None:
        self.arn = KEY_ARN
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.about = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
        self.refusal: tuple[int, dict[str, str]] | None = None
        self.only, self.times = "", 0
        self.calls: list[str] = []
        self.sent: list[dict[str, Any]] = []
        self.answer: dict[str, str] | None = None
        """Instead of the right one."""
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"

    @property
    def der(self) -> bytes:
        """The public half."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return self.key.public_key().public_bytes(serialization.Encoding.DER, form)

    def refuse(self, status: int, code: str, message: str = "", *, only: str = "", times: int = 1000) -> None:
        """Refuse each call from now on, or each of one operation; so many times."""
        self.refusal, self.only, self.times = (status, {"__type": code, "message": message}), only, times

    def respond(self, operation: str, asked: dict[str, Any]) -> tuple[int, dict[str, str]]:
        """Answer one call."""
        self.calls.append(operation)
        self.sent.append(asked)
        if self.refusal and self.times and self.only in {"", operation}:
            self.times -= 1
            return self.refusal
        if self.answer is not None:
            return 200, self.answer
        if operation == "GetPublicKey":
            return 200, self.about | {"KeyId": self.arn, "PublicKey": base64.b64encode(self.der).decode()}
        wanted = {"KeyId": self.arn, "MessageType": "RAW", "SigningAlgorithm": "ECDSA_SHA_256"}
        assert {name: asked[name] for name in wanted} == wanted
        signature = self.key.sign(base64.b64decode(asked["Message"]), ec.ECDSA(hashes.SHA256()))
        return 200, {"KeyId": self.arn, "Signature": base64.b64encode(signature).decode()}


def _handler(kms: KmsServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, answer = kms.respond(self.headers["X-Amz-Target"].removeprefix("TrentService."), asked)
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


@contextmanager
def kms_server() -> Iterator[KmsServer]:
    """Serve until the block ends."""
    kms = KmsServer()
    thread = threading.Thread(target=kms.server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield kms
    finally:
        kms.server.shutdown()
        thread.join()
        kms.server.server_close()
