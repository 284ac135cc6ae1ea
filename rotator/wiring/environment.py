"""What a process refuses to find in its environment, what it warns of, and what it takes out of it.

Every entry point calls `check` before it makes a client: the command line, the daemon and the Lambda functions.
"""

from collections.abc import Callable, Mapping, MutableMapping

from rotator.config.tables import AdminEnvironment, PinataConfig
from rotator.model.errors import ConfigError

_REFUSED = {
    # httpx obeys it even with `trust_env=False`.
    "SSLKEYLOGFILE": "every secret on the wire could be read with that file",
    "PYTHONINSPECT": "it would open this process, and every secret in it, to a debugger",
    "PYTHONBREAKPOINT": "it would open this process, and every secret in it, to a debugger",
    "AWS_DATA_PATH": "the files there say where AWS's services are, and could send every secret elsewhere",
}
TRUST = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR")
"""Variables that say who vouches for the hosts of AWS, to one library or another."""


def refused(env: Mapping[str, str]) -> str | None:
    """Return the first variable that `check` refuses; None if there is none."""
    return next((name for name in _REFUSED if env.get(name, "0") not in {"", "0"}), None)


def check(env: Mapping[str, str], warn: Callable[[str], None]) -> None:
    """Refuse an environment in which secrets would go elsewhere; `warn` of each variable that says whom to trust.

    Raises ConfigError if a variable would log TLS keys, open this process to a debugger, or redirect AWS's services.
    """
    if name := refused(env):
        raise ConfigError(f"{name} is set: {_REFUSED[name]}", next_step=f"Unset {name}.")
    for name in TRUST:
        if env.get(name):
            warn(name)


def withhold_managing_key(pinata: PinataConfig, environ: MutableMapping[str, str]) -> None:
    """Take the managing key out of the environment: a program that AWS's profile starts would inherit it.

    Whoever needs it later reads it from a copy that was made before.
    """
    if isinstance(pinata.admin, AdminEnvironment):
        environ.pop(pinata.admin.variable, None)
