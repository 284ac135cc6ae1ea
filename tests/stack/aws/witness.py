"""Who asked AWS for what: each function by its own credentials, judged by the rights of its own role.

The witness stands before the server. A call of a function that its role does not allow is refused as AWS refuses
it, and noted. Two things never cross the wire and are noted by whoever does them: what Lambda itself does in a
role's name (logs, queues), and KMS, which AWS documents as implied: reading a value encrypted with a customer's
key needs kms:Decrypt, writing one kms:GenerateDataKey and kms:Decrypt (Secrets Manager user guide, "Secret
encryption and decryption"), both asked with `kms:ViaService`.

A call of KMS itself must be allowed by the function's role and by the key's own policy. AWS is content with the latter
where it names the role; then a right that went missing would not show.
"""

import io
import json
import re
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from rotator.sandbox.secrets_manager.api import SecretsManager
from rotator.sandbox.secrets_manager.state import RuleError
from rotator.sandbox.secrets_manager.store import Scope
from tests.stack.aws.rights import Ask, allowed
from tests.stack.aws.under_moto import function, key_statements, role_statements

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

KEY_PREFIX = "ASIA"
FREE = frozenset({"sts:GetCallerIdentity"})
"""What needs no right at all."""
SAME_RIGHT = {
    "sqs:SendMessageBatch": "sqs:SendMessage",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
}
"""Operations whose right has another name (service authorization reference)."""
KMS_FOR = {
    "secretsmanager:GetSecretValue": ("kms:Decrypt",),
    "secretsmanager:PutSecretValue": ("kms:GenerateDataKey", "kms:Decrypt"),
    "secretsmanager:UpdateSecret": ("kms:GenerateDataKey", "kms:Decrypt"),
}
OF_THE_KEY = frozenset({"kms:Sign", "kms:GetPublicKey"})
"""What the policy of the key is asked for as well; there, `*` is the key."""
_CREDENTIAL = re.compile(r"Credential=(?P<key>[^/]+)/\d+/(?P<region>[^/]+)/(?P<service>[^/]+)/aws4_request")


@dataclass(frozen=True, slots=True)
class Use:
    """One right that a function asked for."""

    function: str
    action: str
    resource: str
    granted: bool


Before = Callable[[str, str], None]
"""Called with function and action before the effect of a call on the wire."""


class Witness:
    """A WSGI middleware, and the list of uses."""

    def __init__(self, scope: Scope, secrets: SecretsManager) -> None:
        """Nothing was asked yet."""
        self._scope = scope
        self._secrets = secrets
        self._uses: dict[Use, None] = {}
        self._lock = threading.Lock()
        self.before: Before = lambda _, __: None

    @property
    def uses(self) -> tuple[Use, ...]:
        """What was asked for so far, each once, in order."""
        with self._lock:
            return tuple(self._uses)

    def ask(self, name: str, asks: Iterable[Ask]) -> bool:
        """Note that a function asks for rights; false if its role, or the policy of a key that is used, lacks one."""
        role_arn = function(self._scope, name).role_arn
        statements = role_statements(self._scope, role_arn)
        granted = True
        for one in asks:
            this = allowed(statements, one)
            if one.action in OF_THE_KEY:
                theirs = key_statements(self._scope, one.resource)
                this &= allowed(theirs, replace(one, resource="*", principal=role_arn))
            granted &= this
            with self._lock:
                self._uses[Use(name, one.action, one.resource, this)] = None
        return granted

    def stand_before(self, application: "WSGIApplication") -> "WSGIApplication":
        """Return the application with this witness before it."""

        def watched(environ: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
            signed = _signed(environ)
            if signed is None or not signed["key"].startswith(KEY_PREFIX):
                return application(environ, start)
            body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            environ["wsgi.input"] = io.BytesIO(body)
            name = signed["key"].removeprefix(KEY_PREFIX)
            asks = self._asks(signed["service"], environ, body)
            if not self.ask(name, asks):
                return _refuse(asks, signed["service"], start)
            if asks:
                self.before(name, asks[0].action)
            return application(environ, start)

        return watched

    def _asks(self, service: str, environ: "WSGIEnvironment", body: bytes) -> list[Ask]:
        target = environ.get("HTTP_X_AMZ_TARGET", "")
        if service == "s3":
            return [_s3(environ)]
        if service == "lambda":
            operation = "GetAlias" if "/aliases/" in environ["PATH_INFO"] else "GetFunctionConfiguration"
            return [Ask(f"lambda:{operation}", "*")]
        if target:
            sent, operation = json.loads(body or b"{}"), target.rpartition(".")[2]
        else:
            sent = {name: values[0] for name, values in parse_qs(body.decode()).items()}
            operation = sent.get("Action", f"{environ['REQUEST_METHOD']} {environ['PATH_INFO']}")
        action = f"{service}:{operation}"
        if action in FREE:
            return []
        if service == "secretsmanager":
            return self._secret(action, sent)
        return [Ask(SAME_RIGHT.get(action, action), self._resource(service, sent))]

    def _secret(self, action: str, sent: Mapping[str, Any]) -> list[Ask]:
        """Return what a call needs: several values at once, the right to ask so, and the one to read each.

        AWS answers with an error for each that may not be read; here the whole call is refused.
        """
        secret_id = sent.get("SecretId")
        if several := sent.get("SecretIdList"):
            each = (self._secret("secretsmanager:GetSecretValue", {"SecretId": one}) for one in several)
            return [Ask(action, "*"), *chain.from_iterable(each)]
        if secret_id is None:
            return [Ask(action, "*")]
        try:
            found = self._secrets.answer("DescribeSecret", {"SecretId": secret_id}, self._scope)
        except RuleError:
            return [Ask(action, self._arn("secretsmanager", f"secret:{secret_id}"))]
        tagged = [*sent.get("TagKeys", ()), *(tag["Key"] for tag in sent.get("Tags", ()))]
        asks = [Ask(action, found["ARN"], {"aws:tagkeys": "\n".join(tagged)} if tagged else {})]
        if found.get("KmsKeyId"):
            via = {"kms:viaservice": f"secretsmanager.{self._scope.region}.amazonaws.com"}
            asks += [Ask(kms, found["KmsKeyId"], via) for kms in KMS_FOR.get(action, ())]
        return asks

    def _resource(self, service: str, sent: Mapping[str, Any]) -> str:
        match service:
            case "sqs":
                return self._arn("sqs", str(sent.get("QueueUrl", "")).rpartition("/")[2])
            case "ssm":
                return self._arn("ssm", f"parameter/{str(sent.get('Name')).lstrip('/')}")
            case "kms":
                return str(sent.get("KeyId", "*"))
            case "sts":
                return str(sent.get("RoleArn", "*"))
            case _:
                return "*"

    def _arn(self, service: str, rest: str) -> str:
        return f"arn:aws:{service}:{self._scope.region}:{self._scope.account}:{rest}"


def _signed(environ: "WSGIEnvironment") -> re.Match[str] | None:
    return _CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))


def signed_for(environ: "WSGIEnvironment") -> str:
    """Return the service that a call of a function is for; empty for a call of anybody else."""
    signed = _signed(environ)
    return signed["service"] if signed and signed["key"].startswith(KEY_PREFIX) else ""


def _s3(environ: "WSGIEnvironment") -> Ask:
    """S3's rights have no operation's name on the wire; path-style addresses only."""
    bucket, _, key = environ["PATH_INFO"].lstrip("/").partition("/")
    query = parse_qs(environ.get("QUERY_STRING", ""), keep_blank_values=True)
    method = environ["REQUEST_METHOD"]
    special = sorted(set(query) & {"acl", "object-lock", "retention", "versioning", "uploads"})
    action = "s3:unknown"
    match method, bool(key), special:
        case "PUT", True, []:
            action = "s3:PutObject"
        case "GET" | "HEAD", True, []:
            action = "s3:GetObject"
        case "GET" | "HEAD", False, []:
            action = "s3:ListBucket"
        case "GET", False, ["object-lock"]:
            action = "s3:GetBucketObjectLockConfiguration"
        case "GET", False, ["versioning"]:
            action = "s3:GetBucketVersioning"
        case _:
            action = f"s3:unknown {method} {special}"
    context = {"s3:prefix": query["prefix"][0]} if "prefix" in query else {}
    return Ask(action, f"arn:aws:s3:::{bucket}" + (f"/{key}" if key else ""), context)


def _refuse(asks: list[Ask], service: str, start: "StartResponse") -> list[bytes]:
    if service == "s3":
        status, kind = "403 Forbidden", "application/xml"
        body = b"<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>"
    else:
        status, kind = "400 Bad Request", "application/x-amz-json-1.1"
        text = f"not authorized to perform: {asks[0].action} on resource: {asks[0].resource}"
        body = json.dumps({"__type": "AccessDeniedException", "Message": text}).encode()
    start(status, [("Content-Type", kind), ("Content-Length", str(len(body)))])
    return [body]
