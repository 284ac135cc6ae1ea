"""`doctor`: read everything that a rotation needs, and say what is wrong with it; change nothing."""

import os
import shlex
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime

import click

from rotator.cli.context import chosen, load_config, print_json
from rotator.cli.exits import Exit
from rotator.cli.screen import alarming, counted, folded, width
from rotator.cli.watcher import Watcher
from rotator.config.file import Config
from rotator.engine.age import is_managing_key_expiring
from rotator.engine.audited import audited
from rotator.fleet.doctor import Examined, Finding, Severity, budget, findings, strays, unmade
from rotator.fleet.keys import OwnedKey, Values, owned
from rotator.fleet.lookup import Resolved, Target
from rotator.fleet.run import WORKERS_MAX
from rotator.fleet.signers import CHECK, untrusted
from rotator.fleet.strays import FEW
from rotator.model.credential import Sensitive
from rotator.model.errors import (
    AuditUnavailableError,
    ClockError,
    ConfigError,
    DeadlineExceededError,
    ProviderError,
    ProviderUnavailableError,
    Remedy,
    RotatorError,
    SecretValueError,
    StoreRejectedError,
)
from rotator.model.events import Ended, Failure, Operation, Subject
from rotator.model.naming import since_label, version_id
from rotator.model.observed import AWSCURRENT, AWSPENDING, KeyState, SecretDescription
from rotator.model.payload import check_fits
from rotator.model.plan import OutcomeKind
from rotator.model.ports import AuditLog, Deadline, KeyProvider
from rotator.model.secret import Demand, SecretSpec
from rotator.model.times import relative_text
from rotator.wiring import environment, logs
from rotator.wiring.connect import Connected, clients
from rotator.wiring.runs import new_run, startup_deadline
from rotator.wiring.signing import signer_of

_ALL = "rotator doctor"
_NOWHERE = since_label(datetime(1970, 1, 1, tzinfo=UTC))
"""A label that no version has: to take it off changes nothing, and needs the right to move labels."""


def examine(config_option: str | None, names: Sequence[str], *, mint: bool, as_json: bool) -> int:
    """Print what is wrong; return 3 if there is a fault, else 1 if a check could not be made, else 0."""
    config = load_config(config_option)
    specs = chosen(config, names)
    told = list(_examined(config, specs, mint=mint))
    if as_json:
        for one in told:
            row = {"check": one.check, "secret": one.secret, "severity": one.severity, "what": one.what}
            print_json(row | {"why": one.why, "command": one.command})
    else:
        click.echo("\n".join(_lines(told, len(specs), width(), mint=mint)))
    if any(one.severity is Severity.FAULT for one in told):
        return Exit.PERSON
    return Exit.FAILED if any(one.is_unmade for one in told) else Exit.OK


def _lines(told: Sequence[Finding], secrets: int, columns: int | None, *, mint: bool) -> Iterator[str]:
    for one in sorted(told, key=lambda one: one.severity is not Severity.FAULT):
        about = f"{one.secret}: " if one.secret else ""
        line = folded(f"{one.severity} {one.check}: {about}{one.what}; {one.why}", columns)
        yield alarming(line) if one.severity is Severity.FAULT else line
        yield f"    $ {one.command}"
    counts = Counter(one.severity for one in told)
    summary = (
        f"{counted(counts[Severity.FAULT], 'fault')}, {counts[Severity.ADVICE]:,} advice" if told else "no findings"
    )
    changed = "nothing was changed but by --mint" if mint else "nothing was changed"
    if any(one.is_unmade or one.ends_all for one in told):
        yield f"{summary}; not everything could be checked; {changed}"
        return
    yield (
        f"{summary}: {counted(secrets, 'secret')}, the managing key, the audit trail, clocks, budgets and environment "
        f"were checked, but not the right to set and remove tags; {changed}"
    )


def _examined(config: Config, specs: Sequence[SecretSpec], *, mint: bool) -> Iterator[Finding]:
    env, trusted = dict(os.environ), list[str]()
    logs.configure(env, default_level="WARNING")
    try:
        environment.check(env, trusted.append)
    except ConfigError as error:
        command = f"unset {environment.refused(env)}"
        yield Finding("environment", None, error.message, "nothing else was checked", command, ends_all=True)
        return
    for name in trusted:
        why = "it says who vouches for the hosts of AWS; anyone who can write there can read secrets"
        yield Finding("environment", None, f"{name} is set", why, f"unset {name}", Severity.ADVICE)
    made = clients(config, env)
    with ExitStack() as stack:
        try:
            both = stack.enter_context(made.connected())
        except RotatorError as error:
            yield replace(_failed("managing-key", error, "no key can be made"), ends_all=True)
            return
        audit = stack.enter_context(both.audit_trail("cli"))
        watcher = Watcher(specs, both, both.world(audit), config.daemon.every)
        yield from _installation(both)
        yield from _signer(config, env)
        try:
            targets = watcher.survey()
        except RotatorError as error:
            found = _failed("clock" if isinstance(error, ClockError) else "found", error, "no secret was looked at")
            yield replace(found, ends_all=True, command="timedatectl set-ntp true" if found.check == "clock" else _ALL)
            return
        yield from _secrets(both, watcher, targets, specs)
        if mint and targets:
            yield from _minted(both, audit, targets[0])


def _failed(check: str, error: RotatorError, why: str) -> Finding:
    """Return what an error means that ends a check of what all secrets share."""
    if error.remedy is Remedy.NEXT_RUN:
        return unmade(check, None, error.message, _ALL)
    return Finding(check, None, error.message, f"{why}; {error.next_step}", _ALL)


def _installation(both: Connected) -> Iterator[Finding]:
    """Check what all secrets share but their keys."""
    config, now = both.config, datetime.now(UTC)
    yield from budget(config.secrets, min(config.pinata.requests_per_minute, config.pinata.data_requests_per_minute))
    for hook in config.hooks:
        if shutil.which(hook.command[0]) is None:
            what = f"the hook {hook.command[0]} cannot be started here"
            yield Finding("hook", None, what, "it hears of no event", f"ls -l {shlex.quote(hook.command[0])}")
    try:
        both.trail_locations.probe()
    except AuditUnavailableError as error:
        yield _failed("audit", error, "nothing is made or revoked without it")
    expires_at = both.provider.managing_key_expires_at
    if expires_at and is_managing_key_expiring(expires_at, now):
        what, why = f"the managing key's token expires {relative_text(expires_at, now)}", "no key can be made then"
        yield Finding("managing-key-expiry", None, what, why, "rotator keys --owner managing")


def _signer(config: Config, env: Mapping[str, str]) -> Iterator[Finding]:
    """Sign something that is no line of the trail, and see that the key is trusted."""
    try:
        signer = signer_of(config, env)
        if signer is None:
            return
        signer.sign(b"rotator doctor")
        fingerprint = signer.fingerprint
    except RotatorError as error:
        yield _failed(CHECK, error, "the audit trail cannot be signed")
        return
    yield from untrusted(fingerprint, config.audit.signers, datetime.now(UTC))


def _secrets(
    both: Connected, watcher: Watcher, targets: Sequence[Target], specs: Sequence[SecretSpec]
) -> Iterator[Finding]:
    """Read each secret, list the keys of this installation once, look closer where that is worth it, and judge."""
    for _ in watcher.look_closer(targets if len(targets) <= FEW else watcher.restless(targets)[:FEW]):
        pass
    fleet = watcher.fleet()
    if fleet.silence:
        why = "keys become too old, and old keys are not revoked"
        yield Finding("silence", None, fleet.silence, why, "rotator status")
    elif fleet.audit_error:
        yield unmade("silence", None, fleet.audit_error, "rotator audit verify")
    statuses = {status.name: status for status in fleet.secrets}
    known = {spec.name: Examined(spec, statuses[spec.name], watcher.look_failure(spec.name)) for spec in specs}
    with ThreadPoolExecutor(WORKERS_MAX, "examine") as pool:
        read = list(pool.map(lambda target: _read(both, target, known.pop(target.spec.name)), targets))
    seen = [*(one for one, _ in read), *known.values()]
    texts = {one.spec.name: (text,) for one, text in read if text}
    keys: tuple[OwnedKey, ...] | None = None
    try:
        if silent := watcher.provider_silence():
            raise ProviderUnavailableError(silent)
        listed = both.provider.list_keys(f"{both.config.pinata.owner}/", frozenset(), startup_deadline())
    except RotatorError as error:
        yield _failed("managing-key", error, "no key can be listed")
    else:
        found, managing = Resolved(tuple(targets), ()), both.provider.managing_key_id
        keys = owned(listed, both.config.pinata.owner, managing, found, Values(texts, {}))
        if len(specs) == len(both.config.secrets) and not known:
            yield from strays(keys, {spec.name for spec in specs})
    yield from findings([replace(one, keys=_of(one.spec, keys)) for one in seen], datetime.now(UTC))
    if unread := [one.spec.name for one in seen if one.description and one.policy is None]:
        what = f"the resource policies of {counted(len(unread), 'secret')} could not be read, such as {unread[0]}'s"
        why = "whether others may read a secret is not known; `secretsmanager:GetResourcePolicy` allows it"
        yield Finding("policy", None, what, why, "aws secretsmanager get-resource-policy", Severity.ADVICE)


def _of(spec: SecretSpec, keys: tuple[OwnedKey, ...] | None) -> tuple[OwnedKey, ...] | None:
    return keys and tuple(row for row in keys if row.secret == spec.name and row.key.state is KeyState.LIVE)


def _read(both: Connected, target: Target, seen: Examined) -> tuple[Examined, Sensitive | None]:
    """Read a secret, put its value again as it is, and return what came of it, with the value."""
    store, deadline, spec = both.store, startup_deadline(), target.spec
    seen, text = replace(seen, description=target.description), None
    try:
        about = store.describe(target.description.arn, deadline)
        seen = replace(seen, description=about, pending_since=_labelled_since(both, about))
        current = next((version.version_id for version in about.versions if AWSCURRENT in version.labels), None)
        stored = store.read(about.arn, current, deadline) if current and about.is_writable() else None
        seen = replace(seen, is_read=True)
        if stored:
            text = stored.text
            try:
                check_fits(spec.shape, text)
            except SecretValueError as error:
                seen = replace(seen, misfit=error)
            store.put_again(about.arn, stored, deadline)
            store.check_labels_move(about.arn, stored.version_id, _NOWHERE, deadline)
    except RotatorError as error:
        seen = replace(seen, error=error)
    try:
        return replace(seen, policy=store.policy(target.description.arn, deadline)), text
    except StoreRejectedError:
        return seen, text
    except RotatorError as error:
        return replace(seen, error=seen.error or error), text


def _labelled_since(both: Connected, about: SecretDescription) -> datetime | None:
    pending = next((version for version in about.versions if AWSPENDING in version.labels), None)
    if pending is None or AWSCURRENT in pending.labels:
        return None
    return both.store.version_created_at(about.arn, pending.version_id, startup_deadline())


def _minted(both: Connected, audit: AuditLog, target: Target) -> Iterator[Finding]:
    """Make a key that no secret holds, see it listed, and revoke it; each effect is audited like any other."""
    spec, run, provider = target.spec, new_run(target.spec, Demand.DUE), both.provider
    subject = Subject(key_name=f"{both.config.pinata.owner}/doctor/{version_id(1, run.now, run.nonce)}")
    within_s, why = spec.verify_timeout.total_seconds(), "no rotation can succeed"
    try:
        trail = audit.begin("doctor", target.description.arn, target.description.audit_head or "")
        try:
            new = audited(
                trail,
                Operation.CREATE_KEY,
                subject,
                lambda: provider.create_key(subject.key_name, spec.permissions, spec.max_uses, run.deadline),
                lambda new: (replace(subject, key_id=new.key_id), ""),
            )
            why = f"key {new.key_id} may be alive; `rotator keys` shows it"
            made = replace(subject, key_id=new.key_id)
            is_listed = _is_listed(provider, made, within_s, run.deadline)
            audited(trail, Operation.REVOKE_KEY, made, lambda: provider.revoke_key(new.key_id, run.deadline))
        except (ProviderError, DeadlineExceededError) as error:
            trail.record(Ended(OutcomeKind.FAILED, None, "", "", (), Failure.of(error)))
            raise
        trail.record(Ended(OutcomeKind.UP_TO_DATE, None, "", "", (new.key_id,), None))
        last = provider.await_revoked(new.key_id, made.key_name, within_s, run.deadline)
    except RotatorError as error:
        yield Finding("mint", None, error.message, f"{why}; {error.next_step}", f"{_ALL} --mint")
        return
    if not is_listed:
        yield Finding("mint", None, f"key {new.key_id} was made, and the list did not show it", why, f"{_ALL} --mint")
    if last is None or last.state is not KeyState.REVOKED:
        yield Finding("mint", None, f"key {new.key_id} is not listed as revoked", why, "rotator keys --owner other")


def _is_listed(provider: KeyProvider, made: Subject, within_s: float, deadline: Deadline) -> bool:
    """Tell whether the list shows a key; one that could not be asked about has to die all the same."""
    try:
        return provider.await_listed(made.key_id, made.key_name, within_s, deadline) is not None
    except RotatorError:
        return False
