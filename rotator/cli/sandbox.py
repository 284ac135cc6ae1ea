"""`sandbox` and `demo`: both systems simulated, to play with and to watch."""

from collections.abc import Iterator
from contextlib import contextmanager

from rotator.model.errors import ConfigError


def serve_sandbox(pinata_port: int, aws_port: int, directory: str | None, *, as_json: bool) -> int:
    """Serve a simulated Pinata and Secrets Manager until interrupted."""
    with _installed():
        from rotator.sandbox.serving import serve  # noqa: PLC0415 - an extra that may be missing

    return serve(pinata_port, aws_port, directory, as_json=as_json)


def demonstrate() -> int:
    """Rotate a key in simulated systems while a consumer uses it, and once die half-way."""
    with _installed():
        from rotator.sandbox.demo import demo  # noqa: PLC0415 - as above

    return demo()


@contextmanager
def _installed() -> Iterator[None]:
    """Raise ConfigError, which says what to install, if the sandbox is missing: it is an extra."""
    try:
        yield
    except ModuleNotFoundError as missing:
        raise ConfigError(
            f"the sandbox needs {missing.name}, which is not installed",
            next_step='Install rotator with its extra `sandbox`: in a clone, `pipx install --force ".[sandbox]"`.',
        ) from None
