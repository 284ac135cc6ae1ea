"""Both systems and the audit trail, connected: the adapters with their clients, and what outlives a managing key."""

import os
import ssl
import stat
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, Self, assert_never
from urllib.parse import urlsplit

import httpx

from rotator.aws.client import endpoint_of
from rotator.aws.examination import ExaminedStore
from rotator.aws.session import assumed_session, consumer_client, identity_of, own_session, secrets_manager_client
from rotator.aws.store import SecretsManagerStore
from rotator.config.file import Config
from rotator.config.tables import AdminEnvironment, AdminSecret, AwsConfig
from rotator.config.values import is_loopback
from rotator.consumers.roster import Roster
from rotator.engine.run import World
from rotator.fleet.neighbours import Neighbours
from rotator.model.credential import Sensitive
from rotator.model.errors import ConfigError, SecretNotFoundError, SecretValueError
from rotator.model.payload import managing_token
from rotator.model.ports import AuditLog, Deadline
from rotator.pinata.client import PinataClient
from rotator.pinata.transport import RateLimiter, http_client, timeouts, tls_context
from rotator.wiring.call_counts import Call, CallCounts
from rotator.wiring.environment import withhold_managing_key
from rotator.wiring.logs import log_unwitnessed, warn_of_hook
from rotator.wiring.runs import startup_deadline

if TYPE_CHECKING:
    from rotator.audit.locations import TrailLocations
    from rotator.audit.trail import Listener

PING_S = 10.0
"""How long a dead-man's switch may take to answer."""


class OpenLog(AuditLog, Protocol):
    """The audit log of a process, a context manager."""

    def close(self) -> None:
        """Close its places."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...


@dataclass(frozen=True, slots=True)
class Connected:
    """Both systems, reachable; the audit trail, not yet opened."""

    config: Config
    store: ExaminedStore
    provider: PinataClient
    consumers: Roster
    identity: str
    """Who we are to AWS: the caller's ARN where the configuration asks for it, else the access key's id."""
    trail_locations: "TrailLocations"

    def audit_trail(self, trigger: str, listener: "Listener | None" = None) -> "OpenLog":
        """Return the audit trail, to be closed in the end; nothing is touched before the first run.

        `trigger` is what started this process: `cli`, `daemon`, `lambda`. `listener` hears each recorded event.
        """
        from rotator.wiring.trail import trail_in  # noqa: PLC0415 - slow, and seldom needed
        from rotator.wiring.witness import TagWitness  # noqa: PLC0415 - as above

        hooks = self.config.hooks
        witness = TagWitness(self.store, log_unwitnessed) if self.config.audit.witness == "tag" else None
        if not hooks:
            return replace(trail_in(self.trail_locations, trigger, self.identity, listener), witness=witness)
        from rotator.wiring.hooks import HookedTrail, owes  # noqa: PLC0415 - as above

        trail = trail_in(self.trail_locations, trigger, self.identity, listener, partial(owes, hooks))
        return HookedTrail(replace(trail, witness=witness), hooks, warn_of_hook)

    @property
    def managing_expires_at(self) -> datetime | None:
        """When the managing key's token expires; None if it does not say."""
        return self.provider.managing_key_expires_at

    def world(self, audit: AuditLog) -> World:
        """Return what a run needs to know of the outside."""
        neighbours = Neighbours(self.config.secrets, self.store)
        return World(self.config.pinata.owner, self.provider, self.store, audit, neighbours.holding, self.consumers)


@dataclass(frozen=True, slots=True)
class Clients:
    """What is made once in a process, and outlives a managing key: the store, the limiter, the list of authorities."""

    config: Config
    env: Mapping[str, str]
    store: ExaminedStore
    identity: str
    limiter: RateLimiter
    tls: ssl.SSLContext
    call_counts: CallCounts
    consumers: Roster
    trail_locations: Callable[[], "TrailLocations"]
    """Made when first asked for: a client for a bucket takes as long as the one for the secrets."""

    @contextmanager
    def connected(self, deadline: Deadline | None = None) -> Iterator[Connected]:
        """Read the managing key before a deadline, by default within STARTUP_S; connect to Pinata until the block ends.

        Raises ConfigError if there is no managing key, or it is unusable; or so is the endpoint of the audit trail's
        bucket; RotatorError if AWS could not be asked.
        """
        pinata = self.config.pinata
        token = _managing_token(self.config, self.store, self.env, deadline or startup_deadline())
        proxy = None if is_loopback(urlsplit(pinata.api_url).hostname or "") else pinata.proxy
        with http_client(tls=self.tls, proxy=proxy) as client:
            client.event_hooks = _counting(self.call_counts)
            provider = PinataClient(
                api_url=pinata.api_url,
                api=pinata.api,
                token=token,
                client=client,
                limiter=self.limiter,
                monotonic=time.monotonic,
                sleep=time.sleep,
            )
            places = self.trail_locations()
            yield Connected(self.config, self.store, provider, self.consumers, self.identity, places)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where AWS's services are, if not where they usually are."""

    secrets_manager: str | None
    sts: str | None


def endpoints(aws: AwsConfig, env: Mapping[str, str]) -> Endpoints:
    """Return the endpoints that the configuration or, on loopback, the environment names.

    Raises ConfigError if the environment names one elsewhere.
    """
    return Endpoints(
        endpoint_of(aws.endpoint_url, env, "SECRETS_MANAGER"), endpoint_of(aws.sts_endpoint_url, env, "STS")
    )


def clients(
    config: Config, env: Mapping[str, str], limiter: RateLimiter | None = None, call_counts: CallCounts | None = None
) -> Clients:
    """Build what both adapters need and check who we are.

    `env` is a copy of the environment; the managing key, if it is there, is taken out of the environment itself.
    Raises ConfigError if credentials, region, endpoint or `[pinata] ca_file` are missing or unusable; another
    RotatorError if AWS could not be asked.
    """
    withhold_managing_key(config.pinata, os.environ)
    aws, call_counts = config.aws, call_counts or CallCounts()
    ends = endpoints(aws, env)
    session = own_session(aws.region, env, ends.sts)
    if aws.role_arn is not None:
        session = assumed_session(session, aws.role_arn, ends.sts)
    client = secrets_manager_client(session, ends.secrets_manager)
    client.meta.events.register("before-send.secretsmanager", lambda **_: call_counts.add(Call.SECRETS_MANAGER))
    return Clients(
        config=config,
        env=env,
        store=ExaminedStore(client, clock=time.time, sleep=time.sleep),
        identity=identity_of(session, aws.expected_account),
        limiter=limiter or rate_limiter(config),
        tls=tls_context() if config.pinata.ca_file is None else _trusting(config.pinata.ca_file),
        call_counts=call_counts,
        consumers=Roster(partial(consumer_client, session, env=env), time.time, time.sleep),
        trail_locations=cache(lambda: _trail_locations(config, env)),
    )


def value_of(secret_id: str, env: Mapping[str, str]) -> Sensitive:
    """Return the current value of a secret before there is a configuration, as the environment reaches AWS.

    Raises ConfigError if it does not; SecretNotFoundError, StoreDeniedError or another StoreError.
    """
    client = secrets_manager_client(
        own_session(None, env, endpoint_of(None, env, "STS")), endpoint_of(None, env, "SECRETS_MANAGER")
    )
    return SecretsManagerStore(client, clock=time.time, sleep=time.sleep).read_current(secret_id, startup_deadline())


def _trusting(path: Path) -> ssl.SSLContext:
    """Return what verifies certificates by the authorities in a file. Raises ConfigError if it cannot be used."""
    try:
        status = path.stat()
        text = path.read_text(encoding="utf-8") if stat.S_ISREG(status.st_mode) else ""
        if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            problem = "can be written by others, who could redirect keys; run `chmod go-w` on it"
        elif not text:
            problem = "is not a regular file, or empty"
        else:
            return tls_context(text)
    except OSError as error:
        problem = f"cannot be read: {error.strerror}"
    except ValueError:
        problem = "holds no certificate in PEM"
    raise ConfigError(f"`[pinata] ca_file` {path} {problem}", next_step="Name a file of certificates in PEM.")


def _trail_locations(config: Config, env: Mapping[str, str]) -> "TrailLocations":
    from rotator.wiring.trail import trail_locations  # noqa: PLC0415 - slow, and seldom needed

    return trail_locations(config, env)


def rate_limiter(config: Config) -> RateLimiter:
    """Return a limiter within the account's budgets, for a process that connects more than once."""
    return RateLimiter(
        per_minute=config.pinata.requests_per_minute,
        data_per_minute=config.pinata.data_requests_per_minute,
        monotonic=time.monotonic,
        sleep=time.sleep,
    )


def _counting(call_counts: CallCounts) -> dict[str, list[Callable[..., None]]]:
    """Return httpx event hooks that count requests, and answers 429."""

    def requested(_: httpx.Request) -> None:
        call_counts.add(Call.PINATA)

    def answered(response: httpx.Response) -> None:
        if response.status_code == HTTPStatus.TOO_MANY_REQUESTS:
            call_counts.add(Call.RATE_LIMITED)

    return {"request": [requested], "response": [answered]}


def ping(url: str) -> str:
    """Tell a dead-man's switch of a success; return what went wrong, without the address: it is a secret of sorts."""
    try:
        with http_client() as client:
            answer = client.get(url, extensions={"timeout": timeouts(PING_S)})
    except (httpx.HTTPError, httpx.InvalidURL, OSError, ValueError) as error:
        return type(error).__name__
    return "" if answer.is_success else f"HTTP {answer.status_code}"


def _managing_token(
    config: Config, store: SecretsManagerStore, env: Mapping[str, str], deadline: Deadline
) -> Sensitive:
    """Read the managing key's token. Raises ConfigError if there is none."""
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
                return managing_token(store.read_current(secret_id, deadline))
            except (SecretNotFoundError, SecretValueError) as error:
                message = f"no managing key in `[pinata] admin_secret` {secret_id}: {error.message}"
            raise ConfigError(
                message, next_step="Put the JWT of a managing key into that secret, bare or as field `JWT`."
            )
        case admin:
            assert_never(admin)
