"""Both simulated systems, running and seeded, with a configuration that the real command line works with.

The accounts hold what a first look needs: a managing key in the secret `pinata/admin`, and the secret
`prod/pinata/uploader` with a key that was made by hand. Everything is gone when the process ends.
"""

import json
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.server import PinataServer
from rotator.sandbox.pinata.switches import UNLIMITED, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded
from rotator.sandbox.secrets_manager.server import SecretsManagerServer
from rotator.sandbox.secrets_manager.store import Json, Scope

ACCOUNT = "123456789012"
REGION = "eu-central-1"
ADMIN_SECRET = "pinata/admin"
SECRET = "prod/pinata/uploader"
SECRET_NAME = "uploader"
SCOPE = "org:files:write"
_DAY_S = 86_400.0

_CONFIG = """\
# Written by `rotator sandbox`: the two systems are simulated and end with it.
[pinata]
api_url = "{pinata_url}"
admin_secret = "{admin_secret}"
requests_per_minute = 6000
data_requests_per_minute = 3000

[aws]
region = "{region}"
endpoint_url = "{aws_endpoint_url}"

[audit]
directory = "audit"

[defaults]
grace = "0s"
settle = "0s"

[[secrets]]
name = "{name}"
secret_id = "{secret_id}"
permissions = {{ resources = ["{scope}"] }}
"""


class Sandbox:
    """A context manager: two servers on loopback, and a folder with `rotator.toml` and `audit/`.

    Args:
        directory: an existing folder for the configuration and the audit trail.

        switches: how the simulated Pinata behaves where nobody knows how the real one does.
    """

    def __init__(
        self, directory: Path, *, switches: Switches | None = None, pinata_port: int = 0, aws_port: int = 0
    ) -> None:
        world = PinataWorld(time.time, seeded(str(time.time_ns())), switches or Switches(limits=UNLIMITED))
        self.pinata = PinataServer(world, port=pinata_port)
        self.secrets_manager = SecretsManagerServer(port=aws_port)
        self.config_path = directory / "rotator.toml"
        self.audit_directory = directory / "audit"
        self.admin_jwt = ""

    def __enter__(self) -> Self:
        """Start both servers, seed them and write the configuration."""
        self.secrets_manager.__enter__()
        self.pinata.__enter__()
        self.admin_jwt = self.pinata.seed_admin(account="sandbox")
        self.create_secret(ADMIN_SECRET, json.dumps({"JWT": self.admin_jwt}))
        self.create_secret(SECRET, value_of(self.seed_key("uploader key, made by hand")))
        self.audit_directory.mkdir(mode=0o700, exist_ok=True)
        self.config_path.write_text(
            _CONFIG.format(
                pinata_url=self.pinata.url,
                aws_endpoint_url=self.secrets_manager.endpoint_url,
                admin_secret=ADMIN_SECRET,
                region=REGION,
                name=SECRET_NAME,
                secret_id=SECRET,
                scope=SCOPE,
            ),
            encoding="utf-8",
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both servers."""
        self.pinata.__exit__(kind, error, trace)
        self.secrets_manager.__exit__(kind, error, trace)

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which any AWS client, and `rotator`, reach the sandbox."""
        return {
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self.secrets_manager.endpoint_url,
            "ROTATOR_CONFIG": str(self.config_path),
        }

    def seed_key(self, name: str, *, age_s: float = 30 * _DAY_S) -> KeyRecord:
        """Put a key that somebody made by hand into the Pinata account."""
        with self.pinata.site.lock:
            allowed = Permissions(resources=(SCOPE,))
            return self.pinata.site.world.seed(name, allowed, account="sandbox", age_s=age_s)

    def rotated_keys(self) -> list[KeyRecord]:
        """Return the keys in the Pinata account but the managing one, live and revoked."""
        with self.pinata.site.lock:
            known = list(self.pinata.site.world.keys_of("sandbox"))
        return [key for key in known if not key.permissions.admin]

    def current_key_id(self) -> str:
        """Return the id of the key that consumers read."""
        value = self.call("GetSecretValue", {"SecretId": SECRET})["SecretString"]
        return str(json.loads(value)["pinata_api_key"])

    def create_secret(self, name: str, value: str | None = None) -> Json:
        """Create a secret, empty or with a value."""
        sent: Json = {"Name": name, "ClientRequestToken": f"made-by-hand-{time.time_ns():020}"}
        if value is not None:
            sent["SecretString"] = value
        return self.call("CreateSecret", sent)

    def call(self, operation: str, sent: Json) -> Json:
        """Call the simulated Secrets Manager without going through its port."""
        return self.secrets_manager.secrets.answer(operation, sent, Scope(ACCOUNT, REGION))


def value_of(key: KeyRecord) -> str:
    """Return the JSON that people store for a key: Pinata's answer, as it came."""
    return json.dumps({"JWT": key.jwt, "pinata_api_key": key.key, "pinata_api_secret": key.secret})
