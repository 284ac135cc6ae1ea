"""Putting the real adapters together: the only place where clients are constructed.

Clock, sleep and randomness enter here and are handed on as arguments; nothing below looks at them by itself.
"""

import platform
import secrets
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Literal, assert_never
from uuid import uuid4

import boto3
import httpx
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import get_session

from rotator import __version__
from rotator.audit import AuditTrail, Writer
from rotator.config import AdminEnvironment, AdminSecret, Config
from rotator.credential import Sensitive
from rotator.errors import ConfigError, SecretNotFoundError, SecretValueError
from rotator.fleet import Neighbours
from rotator.naming import NONCE_LENGTH
from rotator.payload import managing_token
from rotator.pinata import PinataClient, RateLimiter, http_client, timeouts
from rotator.ports import AuditLog, Deadline, Stopping, never_stopping
from rotator.reconcile import Run, World
from rotator.secrets_manager import (
    SecretsManagerStore,
    client_config,
    endpoint_from_environment,
)
from rotator.spec import Demand, SecretSpec
from rotator.traffic import System, Traffic

if TYPE_CHECKING:
    from mypy_boto3_sts import STSClient

STARTUP_S = 60.0
"""How long resolving the fleet and reading the managing key may take."""
PING_S = 10.0


@dataclass(frozen=True, slots=True)
class MonotonicDeadline:
    """A `Deadline` on the monotonic clock."""

    at_s: float

    @classmethod
    def after(cls, timeout_s: float) -> "MonotonicDeadline":
        """Return the deadline so many seconds from now."""
        return cls(time.monotonic() + timeout_s)

    def remaining_s(self) -> float:
        """Return the seconds left, negative when time is up."""
        return self.at_s - time.monotonic()


@dataclass(frozen=True, slots=True)
class Connected:
    """Both systems, reachable; the audit trail, not yet opened."""

    config: Config
    store: SecretsManagerStore
    provider: PinataClient
    identity: str
    """Who we are to AWS: the caller's ARN where the configuration asks for it, else the access key's id."""

    def audit_trail(self, trigger: str) -> AuditTrail:
        """Return the audit trail, to be closed in the end; its directory is first touched by the first run.

        Args:
            trigger: what started this process: `cli`, `daemon`, `lambda`.
        """
        writer = Writer("rotator", __version__, trigger, self.identity, platform.node())
        return AuditTrail(
            self.config.audit.directory,
            writer,
            clock=lambda: datetime.now(UTC),
            new_id=lambda: uuid4().hex,
        )

    def world(self, audit: AuditLog) -> World:
        """Return what a run needs to know of the outside."""
        neighbours = Neighbours(self.config.secrets, self.store)
        return World(self.config.pinata.owner, self.provider, self.store, audit, neighbours.holding)


def new_run(
    spec: SecretSpec,
    demand: Demand,
    deadline: Deadline | None = None,
    stopping: Stopping = never_stopping,
) -> Run:
    """Return the time, nonce and deadline of a run that starts now."""
    nonce = secrets.token_hex(NONCE_LENGTH // 2)
    deadline = deadline or MonotonicDeadline.after(spec.timeout.total_seconds())
    return Run(datetime.now(UTC), nonce, demand, deadline, stopping)


def startup_deadline() -> MonotonicDeadline:
    """Return the deadline of what comes before the first secret's run."""
    return MonotonicDeadline.after(STARTUP_S)


def rate_limiter(config: Config) -> RateLimiter:
    """Return a limiter within the account's budgets, for a process that connects more than once."""
    return RateLimiter(
        per_minute=config.pinata.requests_per_minute,
        data_per_minute=config.pinata.data_requests_per_minute,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


@contextmanager
def connect(
    config: Config,
    env: Mapping[str, str],
    limiter: RateLimiter | None = None,
    traffic: Traffic | None = None,
) -> Iterator[Connected]:
    """Build both adapters and check who we are; close them at the end.

    Args:
        config: the configuration.

        env: the environment.

        limiter: what keeps to Pinata's budgets; by default a new one.

        traffic: counts the requests that are made.

    Raises:
        ConfigError: credentials, region, endpoint or managing key are missing or unusable.
        RotatorError: AWS could not be asked.
    """
    refuse_key_log(env)
    session = _session(config, env)
    aws = session.client(
        "secretsmanager",
        config=client_config(),
        endpoint_url=_endpoint(config, env, "SECRETS_MANAGER"),
    )
    traffic = traffic or Traffic()
    aws.meta.events.register(
        "before-send.secretsmanager", lambda **_: traffic.called(System.SECRETS_MANAGER)
    )
    store = SecretsManagerStore(
        aws,
        clock=time.time,
        sleep=time.sleep,
    )
    identity = _identity(session, config, env)
    token = _managing_token(config, store, env)
    with http_client() as client:
        client.event_hooks = _counting(traffic)
        provider = PinataClient(
            api_url=config.pinata.api_url,
            api=config.pinata.api,
            token=token,
            client=client,
            limiter=limiter or rate_limiter(config),
            monotonic=time.monotonic,
            sleep=time.sleep,
        )
        yield Connected(config, store, provider, identity)


def _counting(traffic: Traffic) -> dict[str, list[Callable[..., None]]]:
    """Return httpx event hooks that count requests, and answers 429."""

    def requested(_: httpx.Request) -> None:
        traffic.called(System.PINATA)

    def answered(response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            traffic.rate_limited()

    return {"request": [requested], "response": [answered]}


def ping(url: str) -> str:
    """Tell a dead-man's switch of a success; return what went wrong, without the address: it is a secret of sorts."""
    try:
        with http_client() as client:
            answer = client.get(url, extensions={"timeout": timeouts(PING_S)})
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return type(error).__name__
    return "" if answer.is_success else f"HTTP {answer.status_code}"


def refuse_key_log(env: Mapping[str, str]) -> None:
    """Refuse to run where TLS keys would be written to a file: httpx obeys it even with `trust_env=False`.

    Raises:
        ConfigError: `SSLKEYLOGFILE` is set.
    """
    if env.get("SSLKEYLOGFILE"):
        raise ConfigError(
            "SSLKEYLOGFILE is set: every secret on the wire could be read with that file",
            next_step="Unset SSLKEYLOGFILE.",
        )


def _session(config: Config, env: Mapping[str, str]) -> boto3.Session:
    """Return a session in the configured region, as the configured role."""
    problem = ""
    try:
        session = boto3.Session(region_name=config.aws.region)
        session.get_credentials()  # kept by the session; half a pair is found out here
    except BotoCoreError as error:  # a profile that does not exist, a broken configuration file
        problem = type(error).__name__
    if problem:
        raise ConfigError(
            f"AWS's configuration cannot be used: {problem}",
            next_step="Look at AWS_PROFILE and the other AWS variables.",
        )
    if session.region_name is None:
        raise ConfigError(
            "no AWS region: `[aws] region` is not set, and neither is AWS_REGION",
            next_step="Set `[aws] region`.",
        )
    if config.aws.role_arn is None:
        return session
    return _assumed(session, config.aws.role_arn, _endpoint(config, env, "STS"))


def _assumed(session: boto3.Session, role_arn: str, sts_endpoint: str | None) -> boto3.Session:
    """Return a session whose credentials are those of a role, renewed as they expire."""
    inner = get_session()
    source = session.get_credentials()
    if source is None:
        raise _no_credentials()

    def sts(
        _: str, aws_access_key_id: str, aws_secret_access_key: str, aws_session_token: str | None
    ) -> "STSClient":
        return session.client(
            "sts",
            config=client_config(),
            endpoint_url=sts_endpoint,
            aws_access_key_id=aws_access_key_id,
            aws_secret_access_key=aws_secret_access_key,
            aws_session_token=aws_session_token,
        )

    fetcher = AssumeRoleCredentialFetcher(
        client_creator=sts,
        source_credentials=source,
        role_arn=role_arn,
        extra_args={"RoleSessionName": "rotator"},
    )
    renewed = DeferredRefreshableCredentials(
        refresh_using=fetcher.fetch_credentials, method="assume-role"
    )
    inner._credentials = renewed  # type: ignore[attr-defined]  # noqa: SLF001 - botocore has no public way
    return boto3.Session(botocore_session=inner, region_name=session.region_name)


def _endpoint(
    config: Config, env: Mapping[str, str], service: Literal["SECRETS_MANAGER", "STS"]
) -> str | None:
    return config.aws.endpoint_url or endpoint_from_environment(env, service)


def _identity(session: boto3.Session, config: Config, env: Mapping[str, str]) -> str:
    """Return who we are, and make sure that it is the expected account.

    Raises:
        ConfigError: there are no credentials, they are of another account, or STS does not say.
    """
    problem = ""
    try:
        credentials = session.get_credentials()
        if credentials is None:
            raise _no_credentials()
        if config.aws.expected_account is None:
            return str(credentials.access_key)
        endpoint = _endpoint(config, env, "STS")
        caller = session.client(
            "sts", config=client_config(), endpoint_url=endpoint
        ).get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        problem = (
            error.response["Error"]["Code"]
            if isinstance(error, ClientError)
            else type(error).__name__
        )
    if problem:
        raise ConfigError(
            f"AWS does not say who we are: {problem}",
            next_step="Try `aws sts get-caller-identity`.",
        )
    if caller["Account"] != config.aws.expected_account:
        raise ConfigError(
            f"these credentials are of account {caller['Account']}, not of `expected_account` "
            f"{config.aws.expected_account}; nothing was done",
            next_step="Use the credentials of the other account, or correct `[aws] expected_account`.",
        )
    return caller["Arn"]


def _no_credentials() -> ConfigError:
    return ConfigError(
        "no AWS credentials: none in the environment, in AWS's files, or from a role",
        next_step="Try `aws sts get-caller-identity`; README.md says which rights are needed.",
    )


def _managing_token(
    config: Config, store: SecretsManagerStore, env: Mapping[str, str]
) -> Sensitive:
    """Read the managing key's token.

    Raises:
        ConfigError: there is none.
    """
    match config.pinata.admin:
        case AdminEnvironment(variable=variable):
            if not env.get(variable):
                raise ConfigError(
                    f"no managing key: `[pinata] admin_jwt_env` names {variable}, which is not set",
                    next_step=f"Put the JWT of a managing key into {variable}.",
                )
            return Sensitive(env[variable])
        case AdminSecret(secret_id=secret_id):
            try:
                return managing_token(store.read_current(secret_id, startup_deadline()))
            except (SecretNotFoundError, SecretValueError) as error:
                message = f"no managing key in `[pinata] admin_secret` {secret_id}: {error.message}"
            raise ConfigError(
                message,
                next_step="Put the JWT of a managing key into that secret, bare or as field `JWT`.",
            )
        case admin:
            assert_never(admin)
