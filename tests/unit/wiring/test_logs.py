"""What is logged."""

import io
from collections.abc import Iterator

import pytest
import structlog

from rotator.model.errors import ConfigError
from rotator.wiring import logs

SECRET = "0123456789abcdef" * 4


@pytest.fixture(autouse=True)
def _reset() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.parametrize("shape", logs.FORMATS)
def test_what_looks_like_a_secret_is_withheld(shape: str) -> None:
    """Whatever slips into a line, no secret is in the log; the rest of the line is."""
    stream = io.StringIO()
    logs.configure({"ROTATOR_LOG_FORMAT": shape}, default_level="INFO", stream=stream)
    logs.log_failure("failed", ConfigError(f"no file {SECRET} here", next_step=f"Try {SECRET}."), f"a-{SECRET}")
    assert SECRET[:20] not in stream.getvalue()
    assert "no file <withheld> here" in stream.getvalue()
