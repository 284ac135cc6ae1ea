"""What a long-lived process refuses to find in its environment, and what it warns of."""

from collections.abc import Iterator, Mapping

from rotator.aws.client import endpoint_from_environment
from rotator.config.file import Config
from rotator.model.errors import ConfigError
from rotator.wiring.connect import refuse_key_log

_DEBUGGERS = ("PYTHONINSPECT", "PYTHONBREAKPOINT")
_TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")


def check(config: Config, env: Mapping[str, str]) -> None:
    """Refuse an environment in which secrets would go elsewhere, before anything is done.

    Raises ConfigError if a variable would log TLS keys, redirect AWS's endpoints, or open this process to a debugger.
    """
    refuse_key_log(env)
    if config.aws.endpoint_url is None:
        endpoint_from_environment(env, "SECRETS_MANAGER")
        endpoint_from_environment(env, "STS")
    for name in _DEBUGGERS:
        if env.get(name, "0") not in {"", "0"}:
            raise ConfigError(
                f"{name} is set: it would open this process, and every secret in it, to a debugger",
                next_step=f"Unset {name}.",
            )


def trusted_elsewhere(env: Mapping[str, str]) -> Iterator[str]:
    """Yield the variables that let others than the usual authorities vouch for AWS."""
    return (name for name in _TRUST if env.get(name))
