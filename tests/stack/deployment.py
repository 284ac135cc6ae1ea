"""The stack as it is deployed: packaged by osls, checked by cfn-lint, in the sandbox's AWS, beside a simulated Pinata.

    with Deployment(folder) as stack:
        stack.aws.tick()
        stack.aws.poller.drain()
        stack.assert_settled("uploader")

Nothing in the deployment is made for the test but the parameters: the ARNs of its secrets, the configuration in the
zip, and the zip's place.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import boto3

from rotator.audit.bucket.ledger import FOLDER
from rotator.audit.ledger import Entry, parse_entry
from rotator.model.signing import fingerprint_of
from rotator.sandbox.pinata.records import KeyRecord
from rotator.sandbox.pinata.scopes import Permissions
from rotator.sandbox.pinata.server import PinataServer
from rotator.sandbox.pinata.switches import UNLIMITED, Switches
from rotator.sandbox.pinata.world import PinataWorld, seeded
from rotator.sandbox.running import value_of
from rotator.sandbox.secrets_manager.store import Json, Scope
from tests.kms_server import KmsServer, kms_server
from tests.stack.aws.server import AwsServer

ROOT = Path(__file__).parents[2]
OSLS = ROOT / "build/stack/node_modules/osls/bin/serverless.js"
BUNDLE = (sys.executable, str(ROOT / "config/stack/bundle.py"))
LINT = (str(Path(sys.executable).with_name("cfn-lint")), "-i", "W3005", "--")
"""W3005, a redundant DependsOn, is osls's own doing."""
NAMES = ("uploader", "gateway", "archive")
"""Three: enough for a tick to list them, if it had the right."""
SCOPE = Scope("123456789012", "eu-central-1")
STACK = "rotator-prod"
BUCKET = f"{STACK}-audit-{SCOPE.account}-{SCOPE.region}"
KMS_KEY = f"arn:aws:kms:{SCOPE.region}:{SCOPE.account}:key/11111111-2222-3333-4444-555555555555"
ADMIN = "pinata/admin"
PERMISSION = "org:files:write"
COMMAND_S = 1800.0
_MONTH_S = 30 * 86_400.0
_CONFIG = """\
[pinata]
api_url = "{pinata_url}"
admin_secret = "{admin}"
requests_per_minute = 60000
data_requests_per_minute = 60000

[aws]
region = "{region}"
expected_account = "{account}"

[audit]
s3 = "s3://{bucket}/audit"
{sign}

[defaults]
grace = "0s"
settle = "0s"
verify_timeout = "3s"
permissions = {{ resources = ["{permission}"] }}

# Due at every tick.
[[secrets]]
name = "uploader"
secret_id = "prod/pinata/uploader"
max_age = "1s"

# Rotated by Secrets Manager.
[[secrets]]
name = "gateway"
secret_id = "prod/pinata/gateway"

# Due once, for its key is made by hand, and dies a little later.
[[secrets]]
name = "archive"
secret_id = "prod/pinata/archive"
grace = "1s"
"""


CONSUMERS = """
[[secrets.consumers]]
ecs = "prod/uploader"
redeploy = true

[[secrets.consumers]]
lambda = "pinner:live"
"""
"""For the last entry: two consumers that keep the key they were started with."""


@dataclass(frozen=True, slots=True)
class Step:
    """One part of the deployment, and how long it took."""

    name: str
    seconds: float


class Deployment:
    """A context manager: deploys when entered, and ends every process when left."""

    def __init__(self, folder: Path, consumers: str = "", *, signs: bool = False) -> None:
        """Keep everything below `folder`.

        The last secret has these consumers, and the functions rights for them; the stack has a key that signs its
        audit trail.
        """
        self.consumers = consumers
        self.signs = signs
        self.folder = folder
        self.aws = AwsServer(folder / "functions", SCOPE)
        world = PinataWorld(time.time, seeded("stack"), Switches(limits=UNLIMITED))
        self.pinata = PinataServer(world)
        self.steps: list[Step] = []
        self.template = folder / "package/cloudformation-template-update-stack.json"
        self._open = ExitStack()

    def __enter__(self) -> Self:
        """Package, check and deploy."""
        self._open.enter_context(self.aws)
        self._open.enter_context(self.pinata)
        self.kms = self.aws.kms = self._open.enter_context(kms_server()) if self.signs else None
        try:
            self._deploy()
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop both systems and all functions."""
        self._open.close()

    def _deploy(self) -> None:
        self._step("prepare", lambda: self.command(*BUNDLE, "prepare"))
        self._step("seed", self._seed)
        self._step("bundle", self._bundle)
        self._step("osls package", lambda: self._osls("package"))
        self._step("cfn-lint", lambda: self.command(*LINT, str(self.template)))
        self._step("osls deploy", lambda: self._osls("deploy"))
        if self.kms:
            self._step("deploy once more, signing", partial(self._sign, self.kms))

    def _sign(self, kms: KmsServer) -> None:
        """Copy the stack's output into the configuration, and deploy again, as docs/aws.md says.

        moto forgets the outputs of a stack that is updated, so the output is worked out here.
        """
        (made,) = self.client("kms").list_keys()["Keys"]
        kms.arn = made["KeyArn"]
        output = json.loads(self.template.read_text(encoding="utf-8"))["Outputs"]["AuditSign"]["Value"]["Fn::Sub"]
        sign = output.replace("${AuditKey.Arn}", kms.arn)
        self._bundle(f'sign = "{sign}"\nsigners = ["{fingerprint_of(kms.der)}"]')
        self._osls("package")
        self._osls("deploy")

    def _step(self, name: str, do: Callable[[], object]) -> None:
        began = time.monotonic()
        do()
        self.steps.append(Step(name, time.monotonic() - began))

    def _seed(self) -> None:
        """Make the secrets, as people do: with keys made by hand. The stack has none of its own."""
        admin = self.pinata.seed_admin(account="sandbox")
        self.call("CreateSecret", Name=ADMIN, SecretString=json.dumps({"JWT": admin}))
        for name in NAMES:
            with self.pinata.site.lock:
                allowed = Permissions(resources=(PERMISSION,))
                key = self.pinata.site.world.seed(f"{name}, made by hand", allowed, account="sandbox", age_s=_MONTH_S)
            self.call("CreateSecret", Name=f"prod/pinata/{name}", SecretString=value_of(key), KmsKeyId=KMS_KEY)

    def _bundle(self, sign: str = "") -> None:
        """Pack the zip that `make package` packs, with this place's configuration."""
        self.config = self.folder / "rotator.toml"
        self.config.write_text(
            _CONFIG.format(
                pinata_url=self.pinata.url,
                admin=ADMIN,
                region=SCOPE.region,
                account=SCOPE.account,
                bucket=BUCKET,
                permission=PERMISSION,
                sign=sign,
            )
            + self.consumers,
            encoding="utf-8",
        )
        self.config.chmod(0o600)
        self.command(*BUNDLE, "zip", str(self.config), str(self.folder / "rotator.zip"))

    def _osls(self, verb: str) -> None:
        given = {
            "artifact": self.folder / "rotator.zip",
            "region": SCOPE.region,
            "secrets": ",".join(self.arn(name) for name in NAMES),
            "admin_secret": self.describe(ADMIN)["ARN"],
            "kms_keys": KMS_KEY,
            "allow_consumers": "redeploy" if self.consumers else "no",
            "audit_sign": "kms" if self.signs else "no",
        }
        parameters = [f"--param={name}={value}" for name, value in given.items()]
        node = shutil.which("node")
        if node is None:
            raise RuntimeError("node is needed to deploy the stack; install Node.js 20 or newer")
        package = str(self.folder / "package")
        self.command(node, str(OSLS), verb, "--package", package, *parameters)

    def command(self, *arguments: str) -> str:
        """Run a program against this AWS; its output.

        Raises:
            RuntimeError: it failed; with what it said.
        """
        done = subprocess.run(
            arguments,
            cwd=ROOT,
            env={**os.environ, **self.environment},
            capture_output=True,
            text=True,
            timeout=COMMAND_S,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(arguments[:3])}: {done.stdout}{done.stderr}")
        return done.stdout

    @property
    def environment(self) -> dict[str, str]:
        """Environment variables with which programs reach this AWS."""
        return {
            "AWS_ENDPOINT_URL": self.aws.endpoint_url,
            "AWS_ACCESS_KEY_ID": "sandbox",
            "AWS_SECRET_ACCESS_KEY": "sandbox",
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_REGION": SCOPE.region,
            "AWS_DEFAULT_REGION": SCOPE.region,
            "SLS_TELEMETRY_DISABLED": "1",
            "SLS_AWS_MONITORING_FREQUENCY": "200",
            "SLS_NOTIFICATIONS_MODE": "off",
            "ROTATOR_CONFIG": str(self.config) if hasattr(self, "config") else "",
        }

    # Both systems

    def client(self, service: str) -> Any:  # noqa: ANN401 - clients of services without stubs
        """Return an AWS client of a person with all rights."""
        return boto3.client(  # type: ignore[call-overload]  # the service's name is not a literal
            service,
            endpoint_url=self.aws.endpoint_url,
            region_name=SCOPE.region,
            aws_access_key_id="sandbox",
            aws_secret_access_key="sandbox",
        )

    def call(self, operation: str, **sent: object) -> Json:
        """Call Secrets Manager without going through the wire."""
        if operation in {"CreateSecret", "PutSecretValue", "RotateSecret"}:
            sent.setdefault("ClientRequestToken", f"made-by-a-person-{time.time_ns():020}")
        return self.aws.secrets.answer(operation, dict(sent), SCOPE)

    def describe(self, secret_id: str) -> Json:
        """Return DescribeSecret's answer."""
        return self.call("DescribeSecret", SecretId=secret_id)

    def arn(self, name: str) -> str:
        """Return the ARN of a configured secret."""
        return str(self.describe(f"prod/pinata/{name}")["ARN"])

    def labels(self, name: str) -> dict[str, str]:
        """Return the version that carries each label."""
        stages = self.describe(self.arn(name))["VersionIdsToStages"]
        return {label: version for version, labels in stages.items() for label in labels}

    def versions(self, name: str) -> int:
        """Return how many versions a secret has, with labels or without."""
        return len(self.call("ListSecretVersionIds", SecretId=self.arn(name), IncludeDeprecated=True)["Versions"])

    def current_key_id(self, name: str) -> str:
        """Return the id of the key that consumers read."""
        value = self.call("GetSecretValue", SecretId=self.arn(name))["SecretString"]
        return str(json.loads(value)["pinata_api_key"])

    def keys(self, name: str) -> list[KeyRecord]:
        """Return the keys made for a secret, live and revoked."""
        with self.pinata.site.lock:
            known = list(self.pinata.site.world.keys_of("sandbox"))
        return [key for key in known if f"prod/pinata/{name}-" in key.name or name in key.name]

    def live_keys(self, name: str) -> list[str]:
        """Return the ids of the keys made for a secret that Pinata accepts."""
        return [key.key for key in self.keys(name) if key.revoked_at is None]

    # What must be so

    def assert_settled(self, *names: str) -> None:
        """One live key, in AWSCURRENT; nothing pending elsewhere; the old ones dead; the audit trail intact."""
        for name in names:
            labels = self.labels(name)
            assert self.live_keys(name) == [self.current_key_id(name)]
            assert labels.get("AWSPENDING", labels["AWSCURRENT"]) == labels["AWSCURRENT"]
        self.command(sys.executable, "-m", "rotator", "audit", "verify")

    def entries(self) -> list[Entry]:
        """Return what the ledger of the audit trail holds, the newest first."""
        s3 = self.client("s3")
        listed = s3.list_objects_v2(Bucket=BUCKET, Prefix=f"audit/{FOLDER}")
        bodies = (s3.get_object(Bucket=BUCKET, Key=one["Key"])["Body"].read() for one in listed.get("Contents", ()))
        return [entry for body in bodies if (entry := parse_entry(body))]

    def function(self, short: str) -> str:
        """Return a function's whole name."""
        return f"{STACK}-{short}"

    def metric(self, short: str, name: str) -> float:
        """Return the sum of a metric of one function so far."""
        found = self.aws.functions.metrics(self.function(short))
        assert all(one.dimensions == (("Function", short),) for one in found)
        return sum(one.value for one in found if one.name == name)

    def failures(self, short: str) -> int:
        """Return how many invocations of a function ended as an error so far."""
        whole = self.function(short)
        return sum(done.failed for name, done in self.aws.functions.invocations if name == whole)
