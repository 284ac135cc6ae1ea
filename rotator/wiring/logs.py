"""Logging: structured lines on standard error, for people or for machines, and nothing that could hold a secret.

What is logged is our own events, by name; `process` keeps libraries quiet. Exceptions are logged by type and place,
never with local variables: structlog's default shows them.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TextIO, assert_never

from rotator.model.errors import AuditUnavailableError, ConfigError, RotatorError, StoppedError
from rotator.model.events import Decided, Done, Ended, Event, Intent, Subject
from rotator.model.secrecy import withheld
from rotator.wiring.process import hidden

with hidden("rich"):  # 0.15 s of imports, for tracebacks that show local variables
    import structlog

LEVELS = {"DEBUG": logging.DEBUG, "INFO": logging.INFO, "WARNING": logging.WARNING, "ERROR": logging.ERROR}
FORMATS = ("json", "console")


def configure(env: Mapping[str, str], *, default_level: str, stream: TextIO | None = None) -> None:
    """Set logging up from `ROTATOR_LOG_LEVEL` and `ROTATOR_LOG_FORMAT` (`json`, `console`).

    Without a format, people get the console's on a terminal, and everything else gets JSON. Raises ConfigError if one
    of the two variables has another value.
    """
    stream = stream or sys.stderr
    level = _chosen(env, "ROTATOR_LOG_LEVEL", tuple(LEVELS), default_level, str.upper)
    shape = _chosen(env, "ROTATOR_LOG_FORMAT", FORMATS, "console" if stream.isatty() else "json", str.lower)
    renderer: structlog.typing.Processor
    if shape == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        renderer = structlog.dev.ConsoleRenderer(
            colors=stream.isatty() and not env.get("NO_COLOR"), exception_formatter=structlog.dev.plain_traceback
        )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _withhold,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )


def warn_of_hook(secret: str, problem: str) -> None:
    """Log that a program of the user's failed."""
    structlog.get_logger().warning("a hook failed", secret=secret, problem=problem)


def log_event(secret: str, run_id: str, event: Event) -> None:
    """Log one audit event: effects and outcomes at INFO, what leads up to them at DEBUG."""
    log = structlog.get_logger().bind(secret=secret, run_id=run_id)
    match event:
        case Decided(reason=reason, actions=actions, generation=generation):
            log.info("decided", reason=reason.value, actions=list(actions), generation=generation)
        case Intent(operation=operation, subject=subject):
            log.debug("intent", operation=operation.value, **_about(subject))
        case Done(operation=operation, subject=subject, result=result, detail=detail):
            log.info("done", operation=operation.value, result=result.value, **_about(subject), detail=detail)
        case Ended(outcome=outcome, reason=reason, revoked=revoked, failure=failure):
            failed = outcome.value == "failed" and not (failure and failure.error == StoppedError.__name__)
            (log.error if failed else log.info)(
                "ended",
                outcome=outcome.value,
                reason=reason.value if reason else None,
                version_id=event.version_id,
                key_id=event.key_id,
                revoked=list(revoked),
                detail=failure.message if failure else "",
            )
        case _:
            assert_never(event)


def log_audit_loss(error: AuditUnavailableError) -> None:
    """Log that one place of the audit trail failed while another one goes on."""
    structlog.get_logger().warning("audit_degraded", detail=error.message, remedy=error.next_step)


def log_unsealed(error: RotatorError) -> None:
    """Log that a run is recorded and listed, but not sealed yet."""
    structlog.get_logger().warning("audit_unsealed", detail=error.message, remedy=error.next_step)


def log_unwitnessed(error: RotatorError) -> None:
    """Log that a run is recorded and listed, and that no tag says so yet."""
    structlog.get_logger().warning("audit_unwitnessed", detail=error.message, remedy=error.next_step)


def log_foreign_trust(variable: str) -> None:
    """Log that a variable lets others than the usual authorities vouch for AWS."""
    structlog.get_logger().warning("whom this process trusts is set from outside", variable=variable)


def log_failure(what: str, error: RotatorError, secret: str = "") -> None:
    """Log something that came to nothing, and what to do about it; `secret` is whom it is about, if it is one."""
    about = {"secret": secret} if secret else {}
    structlog.get_logger().error(what, **about, error=error.message, next_step=error.next_step)


def _withhold(_logger: object, _method: str, line: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Take out of a line what looks like a secret: the last line of defence, for a text that came from outside."""
    return {name: withheld(held) if isinstance(held, str) else held for name, held in line.items()}


def _about(subject: Subject) -> dict[str, str]:
    return {name: part for name, part in asdict(subject).items() if part}


def _chosen(
    env: Mapping[str, str], variable: str, known: tuple[str, ...], default: str, fold: Callable[[str], str]
) -> str:
    chosen = fold(env.get(variable) or default)
    if chosen not in known:
        raise ConfigError(f"{variable} is none of {', '.join(known)}", next_step=f"Correct or unset {variable}.")
    return chosen
