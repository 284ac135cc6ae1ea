"""What can go wrong, and who must act.

Every error says what happened, in what state things are, and the next step; none carries a secret, a response body
or a library's exception (those quote tokens: h11 prints a whole header that it refuses).
"""

import traceback
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

_PACKAGE = str(Path(__file__).parents[1])
_LINES_MAX = 12
"""So many lines tell where a defect is, and fit into an audit record."""
INSTALL_SIGN = 'Install rotator with its extra `sign`: in a clone, `pipx install --force ".[sign]"`.'


class Remedy(StrEnum):
    """Who must act."""

    NEXT_RUN = "next_run"
    """Nobody.

    Next: the next run looks again, and repeats what failed if it is still needed.
    """
    PERSON = "person"
    """A person, in one of the two systems.

    Next: each run tries again and reports it, until a person has acted; the other secrets go on.
    """
    CONFIG = "config"
    """Whoever keeps the configuration, the arguments or the environment.

    Next: nothing, until it is corrected.
    """
    AUDIT = "audit"
    """Whoever keeps the audit trail.

    Next: nothing is made, promoted or revoked, until the trail can be written again.
    """


class RotatorError(Exception):
    """Any error that rotator reports; the message says which.

    `message` says what happened, and in what state things are; `next_step` what to do, by default the class's own.
    """

    remedy: ClassVar[Remedy] = Remedy.NEXT_RUN
    may_have_effect: ClassVar[bool] = False
    """Whether the call that failed may have changed something."""
    default_step: ClassVar[str] = "Nothing to do: the next run looks again and finishes what remains."

    def __init__(self, message: str, *, next_step: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step or self.default_step

    @property
    def told(self) -> str:
        """The message behind its code, which `rotator explain` takes."""
        return f"{type(self).__name__}: {self.message}"


class ConfigError(RotatorError):
    """The configuration, the arguments or the environment cannot be used."""

    remedy = Remedy.CONFIG
    default_step = "Correct it, then run `rotator config check`."


class SecretNotFoundError(ConfigError):
    """A configured secret does not exist, or this identity may not see it."""

    default_step = "Compare `secret_id`, `[aws] region` and the account with `aws secretsmanager list-secrets`."


class EventError(RotatorError):
    """A Lambda function received an event or a message that it cannot use; no call was made for it."""

    remedy = Remedy.PERSON
    default_step = "Find out who sends it: only the schedule, the queue and Secrets Manager should."


class AuditUnavailableError(RotatorError):
    """A record of the audit trail could not be made durable, so nothing more was done."""

    remedy = Remedy.AUDIT
    default_step = "Make the place that `[audit]` names writable and give it space, then run `rotator run`."


class SigningError(RotatorError):
    """A line of the audit trail could not be signed."""

    remedy = Remedy.PERSON
    default_step = "Correct `[audit] sign`, or the key that it names, then run `rotator doctor`."


class SigningUnavailableError(SigningError):
    """The place of the signing key could not be reached, or is too busy."""

    remedy = Remedy.NEXT_RUN
    default_step = "Nothing to do: the next run tries again. `rotator doctor` tries it now."


class SealsUncheckedError(RotatorError):
    """Seals of the audit trail could not be checked here, so whether they are good is not known."""

    remedy = Remedy.CONFIG
    default_step = INSTALL_SIGN


class DefectError(RotatorError):
    """A defect of rotator itself."""

    remedy = Remedy.PERSON
    default_step = (
        "Report this message; it holds no secret. `rotator plan` shows what is left of the run, and `rotator run` "
        "goes on from there."
    )

    @classmethod
    def of(cls, defect: BaseException) -> "DefectError":
        """Return what may be told of an exception that is none of ours: its type and our lines, never its text.

        The text may quote a value. The lines are those that the exception passed, the innermost last.
        """
        ours = [
            f"rotator{path.removeprefix(_PACKAGE)}:{line} in {frame.f_code.co_name}"
            for frame, line in traceback.walk_tb(defect.__traceback__)
            if (path := frame.f_code.co_filename).startswith(f"{_PACKAGE}/")
        ]
        place = ", ".join(ours[-_LINES_MAX:]) or "no line of ours"
        return cls(f"a defect of rotator itself: {type(defect).__name__} at {place}")


class DeadlineExceededError(RotatorError):
    """The run reached its `timeout` and stopped between two calls."""

    default_step = "The next run goes on. If this repeats, raise `timeout` or look at the latency of the two systems."


class StoppedError(RotatorError):
    """The process was told to stop, and stopped where nothing is lost."""

    default_step = "Nothing to do: the next run finishes what remains."


class UnsafeActionError(RotatorError):
    """What was planned is no longer safe: a check just before the action failed, and the action was not taken."""


class RollbackRefusedError(UnsafeActionError):
    """The previous key cannot become current again; nothing was changed."""

    remedy = Remedy.PERSON
    default_step = "Look at `rotator plan`; `rotator rotate` makes a new key."


class StepRefusedError(RotatorError):
    """A rule forbids a step of Secrets Manager's own rotation for now; AWSCURRENT is unchanged."""

    default_step = (
        "Look at `rotator plan`. Secrets Manager repeats the rotation; a version that is stuck in AWSPENDING is "
        "finished or discarded by the next tick after `pending_timeout`."
    )


class ProviderError(RotatorError):
    """Any error about Pinata; the message says which."""


class ProviderUnavailableError(ProviderError):
    """Pinata could not be reached, or answered with a fault; the call had no effect or may safely be repeated."""

    may_have_effect = True


class ProviderRejectedError(ProviderError):
    """Pinata refused the request, which had no effect."""

    remedy = Remedy.PERSON
    default_step = "Compare `permissions`, `max_uses` and `[pinata] api` with what the account allows."


class ProviderDeniedError(ProviderError):
    """Pinata refused the managing credential."""

    remedy = Remedy.PERSON
    default_step = (
        "Put a live managing key (scope `org:write`, or admin for the legacy API) into the secret or the variable "
        "that `[pinata]` names, then run `rotator run`."
    )


class ProviderBlockedError(ProviderError):
    """The connection to Pinata is blocked or not trusted; nothing was sent."""

    remedy = Remedy.PERSON
    default_step = (
        "Find out who answers for this host. For a proxy that inspects TLS, name its authority in `[pinata] ca_file`."
    )


class ProviderContractError(ProviderError):
    """Pinata answered with something its contract does not allow."""


class AccountTooLargeError(ProviderError):
    """The legacy key list of this account is longer than the budget of requests allows; no key was made."""

    remedy = Remedy.PERSON
    default_step = (
        'Set `[pinata] api = "v3"`, whose list has filters; or raise `timeout`, and `[pinata] requests_per_minute` if '
        "the plan allows more."
    )


class CreateOutcomeUnknownError(ProviderError):
    """Pinata may or may not have made a key."""

    may_have_effect = True
    default_step = "Nothing to do: the next run finds the key by its name, if there is one, and deals with it."


class KeyRejectedError(ProviderError):
    """A new key was refused, or a probe it must pass failed; it was not promoted."""

    default_step = "AWSCURRENT is unchanged. The next run tries again, and discards the key after `pending_timeout`."


class KeyScopeError(ProviderError):
    """A key's scopes differ from the ones requested."""

    remedy = Remedy.PERSON
    default_step = "Compare `permissions` with the key in Pinata's key list."


class KeyNameError(ProviderError):
    """A new key has a different name from the one requested, so no later run would recognise it as ours."""

    remedy = Remedy.PERSON
    default_step = (
        "AWSCURRENT is unchanged. Report it to Pinata; no key is kept until it lists names as they are given."
    )


class AttemptsExhaustedError(ProviderError):
    """So many new keys failed to become current that rotator stopped trying."""

    remedy = Remedy.PERSON
    default_step = "See `rotator history NAME` for why they failed, then run `rotator rotate NAME`."


class KeyNotListedError(ProviderError):
    """A new key did not appear in Pinata's list in time; it was not stored."""

    default_step = "AWSCURRENT is unchanged. The next runs try again, later and later."


class KeyStillAliveError(ProviderError):
    """A key that was revoked is still accepted."""

    remedy = Remedy.PERSON
    default_step = "Look the key up in Pinata's key list, revoke it by hand, and report it to Pinata if it lives on."


class KeyNotYetDeadError(KeyStillAliveError):
    """A key that was revoked by this run is still accepted: its end may not have propagated yet."""

    remedy = Remedy.NEXT_RUN
    default_step = "Nothing to do: the next run asks again, and calls for a person if the key still works then."


class RedeployError(RotatorError):
    """A consumer that is to be redeployed after a promotion was not."""

    remedy = Remedy.NEXT_RUN
    default_step = "The rotation stands. The next run tries again."


class HookError(RotatorError):
    """A program that hears what has become of a key failed; the run did not, and ends with its own exit code."""

    remedy = Remedy.CONFIG
    default_step = "Try it: `rotator hooks test NAME`. What it was to hear is in `rotator audit show --secret NAME`."


class RedeployUnknownError(RedeployError):
    """A consumer may or may not be being redeployed: the call had no answer."""

    may_have_effect = True
    default_step = "The rotation stands. The next run sees whether it is."


class ClockError(RotatorError):
    """This machine's clock differs too much from AWS's, so no age can be measured."""

    remedy = Remedy.PERSON
    default_step = "Set the clock (NTP), then run `rotator run`."


class StoreError(RotatorError):
    """Any error about Secrets Manager; the message says which."""


class StoreUnavailableError(StoreError):
    """Secrets Manager could not be reached, or answered with a fault; the call may have had an effect."""

    may_have_effect = True


class StoreRejectedError(StoreError):
    """Secrets Manager refused the request, which had no effect."""


class StoreDeniedError(StoreRejectedError):
    """This AWS identity lacks a right."""

    remedy = Remedy.PERSON
    default_step = "Compare the role's policy with the one in docs/rights.md."


class StoreUntrustedError(StoreRejectedError):
    """The host that answers for AWS is not trusted; nothing was sent."""

    remedy = Remedy.PERSON


class LabelsExhaustedError(StoreRejectedError):
    """The secret has so many staging labels that a new version could not get its own; no key was made."""

    remedy = Remedy.PERSON
    default_step = "`rotator doctor` names labels that no rotator makes. Take those off that nothing needs."


class LabelConflictError(StoreRejectedError):
    """A staging label was no longer where this run had seen it: another run or a person moved it."""


class SecretValueError(StoreError):
    """The stored value does not match `fields` or `format` in the configuration; it was left as it is."""

    remedy = Remedy.PERSON
    default_step = "Correct the secret's value, or `fields` and `format` of its entry, then run `rotator plan`."
