"""Seeded bugs: small changes to the real program, each of which some exploration must find.

A checker that finds nothing proves nothing until it has found what is known to be wrong. Each mutant is a substitution
in the source of the package, applied to a copy of it in a temporary folder; the text it replaces must occur there
exactly once, so a mutant cannot silently miss. Several are published bugs of other rotators.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Edit:
    """One substitution in one module of the package."""

    module: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Mutant:
    """A seeded bug."""

    name: str
    sentence: str
    edits: tuple[Edit, ...]
    hunted_in: tuple[str, ...] = ("1 run after another, <=3 faults",)
    """Names of the configurations that are tried, in order, until one finds it."""


_RACE = "2 runs at once, <=1 fault, <=2 preemptions"
_ANY = "any number of runs, <=1 fault each"
_GRACE = "with grace, <=2 faults, time passes"
_EVERY = "every beginning, every fault, <=1 fault"
_FORCE = "forced and compromised, <=1 fault"
_PERSON = "a person meddles, <=1 fault"
_REPLICA = "a replica falls behind, <=1 fault"
_DYING = "a person meddles while old keys die"
_NEEDED = "keys that something else needs, <=1 fault"
_LIES = "proofs that lie, <=2 faults"
_NATIVE = "Secrets Manager's own rotation, <=1 fault"
_NATIVE_PERSON = "Secrets Manager's own rotation, a person meddles"
_FENCE = "        if self.observed.generation(new) <= self.observed.generation(replaced):\n"
_PROMOTE_CALL = (
    "            lambda: self.store.promote("
    "arn, action.version_id, action.replacing, self.deadline),\n"
)

MUTANTS = (
    Mutant(
        "revoke before promote",
        "The old key is revoked before AWSCURRENT has left it (seen in a published Confluent plugin).",
        (
            Edit(
                "planner.py",
                "    Restamp,\n    Unread,\n",
                "    Restamp,\n    Revoke,\n    Unread,\n",
            ),
            Edit(
                "planner.py",
                "        actions = (create, Verify(new_version_id), Promote(new_version_id, replacing))\n",
                "        actions = (create, Verify(new_version_id), *(Revoke(k) for k in [observed.key_inside("
                "observed.current)] if k), Promote(new_version_id, replacing))\n",
            ),
            Edit(
                "guards.py",
                "    if observed.current is None or key_id in in_use | observed.protected:\n",
                "    if observed.current is None:\n",
            ),
            Edit(
                "executor.py",
                "            if isinstance(action, Revoke) and self.observed is not observed:\n",
                "            if False:\n",
            ),
        ),
    ),
    Mutant(
        "promote without compare-and-swap",
        "AWSCURRENT is taken from whichever version has it by now, not from the one this plan saw.",
        (
            Edit(
                "executor.py",
                _PROMOTE_CALL,
                "            lambda: self.store.promote(arn, action.version_id, next((v.version_id for v in "
                "self.store.describe(arn, self.deadline).versions if AWSCURRENT in v.labels), None), "
                "self.deadline),\n",
            ),
        ),
        (_RACE,),
    ),
    Mutant(
        "any pending version is adopted",
        "A pending version is promoted whatever its generation is.",
        (
            Edit(
                "planner.py",
                "            if observed.generation(pending) <= observed.generation(current):\n",
                "            if current and pending.version_id == current.version_id:\n",
            ),
            Edit("executor.py", _FENCE, "        if new is replaced:\n"),
        ),
        (_RACE,),
    ),
    Mutant(
        "nothing to do once current",
        "Revocation belongs to the run that rotated; a secret that is up to date is not looked at (AWS templates).",
        (
            Edit(
                "planner.py",
                "    if not actions and reason not in _RETIRE_NOTHING:\n",
                "    if not actions and reason not in _RETIRE_NOTHING | {Reason.UP_TO_DATE}:\n",
            ),
        ),
    ),
    Mutant(
        "new keys are not proved",
        "A new key is promoted without asking testAuthentication.",
        (
            Edit(
                "prover.py",
                "        if answer not in wanted:\n            raise KeyRejectedError(\n"
                '                f"testAuthentication does not accept',
                "        if False:\n            raise KeyRejectedError(\n"
                '                f"testAuthentication does not accept',
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a promotion that times out has failed",
        "When the answer to the promotion is lost, the new key is revoked.",
        (
            Edit(
                "executor.py",
                "        self._audited(\n            Operation.PROMOTE,\n"
                '            Subject(action.version_id, self.observed.key_inside(new) or "", label=AWSCURRENT),\n'
                + _PROMOTE_CALL
                + "        )\n",
                "        try:\n            self._audited(\n                Operation.PROMOTE,\n"
                '                Subject(action.version_id, self.observed.key_inside(new) or "", '
                "label=AWSCURRENT),\n    " + _PROMOTE_CALL + "            )\n"
                "        except StoreUnavailableError:\n"
                '            self._revoke_unstored(self.observed.key_inside(new) or "", "")\n'
                "            raise\n",
            ),
        ),
    ),
    Mutant(
        "a put that times out has failed",
        "When the answer to the put is lost, the minted key is revoked, though it may be stored.",
        (
            Edit(
                "executor.py",
                "        except (StoreUnavailableError, AuditUnavailableError):\n",
                "        except AuditUnavailableError:\n",
            ),
        ),
        ("taking over at once, <=1 fault", _EVERY),
    ),
    Mutant(
        "orphans are not swept",
        "Only the key before is retired; keys that were made and never stored live for ever.",
        (
            Edit(
                "retiring.py",
                "        if 0 < observed.generation_of_key(key) <= fence\n",
                "        if 0 < observed.generation_of_key(key) == observed.generation(observed.previous)\n",
            ),
        ),
    ),
    Mutant(
        "keys nobody refers to are swept",
        "Every key of ours that is neither current nor pending is revoked, whatever its generation is.",
        (
            Edit(
                "retiring.py",
                "        if 0 < observed.generation_of_key(key) <= fence\n",
                "        if 0 < observed.generation_of_key(key)\n",
            ),
        ),
        (_RACE, _ANY),
    ),
    Mutant(
        "missing from the list is dead",
        "A key that the list does not show is taken for revoked.",
        (
            Edit(
                "model.py",
                "        listed = key.state if key else KeyState.LIVE\n",
                "        listed = key.state if key else KeyState.REVOKED\n",
            ),
            Edit(
                "model.py",
                "        return dict(self.witnessed).get(key_id, listed) is KeyState.LIVE\n",
                "        return listed is KeyState.LIVE\n",
            ),
        ),
        ("taking over at once, <=1 fault", _EVERY),
    ),
    Mutant(
        "no grace",
        "The old key is revoked as soon as the new one is current.",
        (
            Edit(
                "retiring.py",
                "    return now - labels.changed_at >= spec.grace\n",
                "    return True\n",
            ),
        ),
        (_GRACE,),
    ),
    Mutant(
        "names that begin like ours are ours",
        "A key is taken for ours if its name only begins like one of ours.",
        (
            Edit(
                "naming.py",
                'def generation_of_version(version_id: str) -> int:\n    """Return the generation in a version '
                'id; 0 if the id is not of our making."""\n    match = _VERSION_ID.fullmatch(version_id)\n',
                'def generation_of_version(version_id: str) -> int:\n    """Return the generation in a version '
                'id; 0 if the id is not of our making."""\n    match = _VERSION_ID.match(version_id)\n',
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "AWSPENDING is left behind",
        "The pending label stays on the promoted version, and nobody takes it off.",
        (
            Edit(
                "executor.py",
                "            self.observed, action.version_id, action.replacing, self.now\n        )\n"
                "        self._remove_label(action.version_id, AWSPENDING)\n",
                "            self.observed, action.version_id, action.replacing, self.now\n        )\n",
            ),
            Edit(
                "planner.py",
                "    if observed.pending is not None:  # somebody, perhaps an earlier run, has begun\n",
                "    if observed.pending is not None and observed.pending != observed.current:\n",
            ),
        ),
    ),
    Mutant(
        "a stuck attempt is never given up",
        "A pending version whose key does not work stays pending for ever.",
        (
            Edit(
                "planner.py",
                "            if now - created_at > spec.pending_timeout or "
                "(key and key.state is KeyState.REVOKED):\n",
                "            if key and created_at > now:\n",
            ),
        ),
        (_GRACE,),
    ),
    Mutant(
        "keys are made without limit",
        "`live_keys_max` is not looked at.",
        (
            Edit(
                "planner.py",
                "        if len(observed.live_keys()) >= spec.live_keys_max:\n",
                "        if len(observed.live_keys()) > 99:\n",
            ),
        ),
        (_ANY, "1 run after another, <=3 faults"),
    ),
    Mutant(
        "a create is repeated in place",
        "When the answer to a create is lost, it is sent again.",
        (
            Edit(
                "executor.py",
                "            lambda: self.provider.create_key(\n"
                "                name, self.spec.permissions, self.spec.max_uses, self.deadline\n"
                "            ),\n",
                "            lambda: _twice(lambda: self.provider.create_key(\n"
                "                name, self.spec.permissions, self.spec.max_uses, self.deadline\n"
                "            )),\n",
            ),
            Edit(
                "executor.py",
                "def _result_of(error: RotatorError) -> Result:\n",
                "def _twice(call):\n    try:\n        return call()\n"
                "    except CreateOutcomeUnknownError:\n        return call()\n\n\n"
                "def _result_of(error: RotatorError) -> Result:\n",
            ),
        ),
    ),
    Mutant(
        "effects before their intents",
        "The audit trail hears of a call when it is over.",
        (
            Edit(
                "executor.py",
                "        self.audit.record(Intent(operation, subject))\n        try:\n"
                "            returned = call()\n",
                "        try:\n            returned = call()\n"
                "            self.audit.record(Intent(operation, subject))\n",
            ),
        ),
    ),
    Mutant(
        "an audit trail that fails is ignored",
        "An intent that cannot be recorded does not stop the effect (seen in a published rotation engine).",
        (
            Edit(
                "executor.py",
                "        self.audit.record(Intent(operation, subject))\n",
                "        try:\n            self.audit.record(Intent(operation, subject))\n"
                "        except AuditUnavailableError:\n            pass\n",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a hold is not respected",
        "The hold tag does not stop a rotation (as when Azure's automation overlooked a key's retain mark).",
        (
            Edit(
                "planner.py",
                "    if observed.labels.hold is not None:  # a person said stop; nobody overrules that\n",
                "    if observed.labels.hold == 'never':\n",
            ),
        ),
        (_PERSON,),
    ),
    Mutant(
        "replicas are not looked at",
        "The old key is revoked while a region still has the value before (nearly every published rotation function).",
        (
            Edit(
                "retiring.py",
                "    return bool(labels.replicas_behind) and demand not in _NO_GRACE\n",
                "    return False\n",
            ),
        ),
        (_REPLICA,),
    ),
    Mutant(
        "a hand edit is overwritten",
        "A key that a person put over ours is replaced unasked.",
        (
            Edit(
                "planner.py",
                "        if _is_drifted(observed):  # a person put another key in; ask before replacing it\n",
                "        if False:\n",
            ),
        ),
        (_PERSON,),
    ),
    Mutant(
        "a roll-back is undone",
        "A label that a person moved back is moved on again unasked.",
        (
            Edit(
                "planner.py",
                "        if _is_rolled_back(observed):  # a person moved the label back; ask before moving it on\n",
                "        if False:\n",
            ),
        ),
        (_PERSON,),
    ),
    Mutant(
        "a take-over forgets what it replaced",
        "No label names the hand-made key, so nobody ever retires it.",
        (
            Edit(
                "executor.py",
                "        return frozenset({OURS, REPLACED_PREFIX + foreign})\n",
                "        return frozenset({OURS})\n",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "scopes are not compared",
        "A key that may do more than was asked is promoted.",
        (
            Edit(
                "prover.py",
                "        if problem := difference(spec.permissions, echoed):\n",
                "        if (problem := difference(spec.permissions, echoed)) and False:\n",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "an error quotes the token",
        "The message about a refused key holds the beginning of its token.",
        (
            Edit(
                "prover.py",
                'after {within_s:g} s: {answer.value}"\n',
                'after {within_s:g} s: {answer.value} {held.jwt.reveal()[:40]}"\n',
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a mask is stored",
        "What is put is a redacted token (as in Cloudflare's incident of 2023-01-24).",
        (
            Edit(
                "payload.py",
                "                (shape.jwt, new.jwt.reveal()),\n",
                "                (shape.jwt, repr(new.jwt)),\n",
            ),
        ),
    ),
    Mutant(
        "finishSecret trusts testSecret",
        "Secrets Manager's version is promoted by a finishSecret that nobody's testSecret came before.",
        (
            Edit(
                "steps.py",
                "            return reason, actions if reason is Reason.INTERRUPTED else ()\n",
                "            return reason, actions[1:] if reason is Reason.INTERRUPTED else ()\n",
            ),
        ),
        (_NATIVE,),
    ),
    Mutant(
        "an empty version is never given up",
        "AWSPENDING stays on the version without a value that a failed rotation left, and blocks all others.",
        (
            Edit(
                "planner.py",
                "            return (Reason.STALLED, discard) if stalled else (Reason.IN_PROGRESS, ())\n",
                "            return (Reason.STALLED, ()) if stalled else (Reason.IN_PROGRESS, ())\n",
            ),
        ),
        (_NATIVE,),
    ),
    Mutant(
        "Secrets Manager's schedule overrules people",
        "A rotation that a schedule began replaces a key that a person put in.",
        (
            Edit(
                "planner.py",
                "_NOBODY_FORCES = frozenset({Demand.DUE, Demand.NATIVE, Demand.CONTAINING})\n",
                "_NOBODY_FORCES = frozenset({Demand.DUE, Demand.CONTAINING})\n",
            ),
        ),
        (_NATIVE_PERSON,),
    ),
    Mutant(
        "a version of Secrets Manager's has no generation",
        "Which key is inside AWSPREVIOUS is not read where Secrets Manager chose the version id.",
        (
            Edit(
                "observer.py",
                "    if not any(key.name.endswith(nonce_of(previous.version_id)) for key in seen.keys):\n",
                "    if True:\n",
            ),
        ),
        (_NATIVE_PERSON,),
    ),
    Mutant(
        "a run never ends",
        "A run that has nothing left to do asks again and again.",
        (
            Edit(
                "reconcile.py",
                "            if not chosen.actions:\n                return\n",
                "            while not chosen.actions:\n"
                "                self.world.store.describe(self.labels.arn, self.run.deadline)\n",
            ),
        ),
    ),
    Mutant(
        "a token that still works is dead",
        "The list alone is asked whether a revocation had its effect.",
        (Edit("prover.py", "            if answer not in _DEAD:\n", "            if False:\n"),),
        (_LIES,),
    ),
    Mutant(
        "a key that outlives its revocation is not marked",
        "Only the run that revoked it knows; the list says that it is dead.",
        (
            Edit(
                "executor.py",
                "                self._mark_alive(action.key_id)\n",
                "                pass\n",
            ),
        ),
        (_FORCE,),
    ),
    Mutant(
        "revoked without looking at the current key",
        "Whether consumers have a key that works is not asked before an old one is revoked.",
        (
            Edit(
                "executor.py",
                "        self.prover.working(held)\n        key = observed.key(key_id)\n",
                "        key = observed.key(key_id)\n",
            ),
        ),
        (_PERSON,),
    ),
    Mutant(
        "a revocation does not look again",
        "A hold that is set while a run revokes one key does not save the next one.",
        (
            Edit(
                "executor.py",
                "            if isinstance(action, Revoke) and self.observed is not observed:\n",
                "            if False:\n",
            ),
        ),
        (_DYING,),
    ),
    Mutant(
        "the key's secret is not renewed",
        "The field of the key's secret keeps the old key's.",
        (
            Edit(
                "payload.py",
                "                (shape.secret, new.secret.reveal() if new.secret else None),\n",
                "",
            ),
        ),
    ),
    Mutant(
        "other fields are lost",
        "What else a value holds is not carried over (as in a published rotation function).",
        (
            Edit(
                "payload.py",
                "            value = dict(_json_object(current)) if current is not None else {}\n"
                "            known = set(value) if current is not None else None\n",
                "            value = dict[str, object]()\n"
                "            known = set(_json_object(current)) if current is not None else None\n",
            ),
        ),
    ),
    Mutant(
        "an unanswered call is recorded as a failure",
        "The audit trail says that nothing happened where something may have.",
        (
            Edit(
                "executor.py",
                "    return Result.UNKNOWN if possible else Result.FAILURE\n",
                "    return Result.FAILURE\n",
            ),
        ),
    ),
    Mutant(
        "a failure has no record",
        "The audit trail is told of outcomes that are successes.",
        (
            Edit(
                "executor.py",
                "            self.audit.record(Done(operation, subject, _result_of(error), error.message))\n",
                "",
            ),
        ),
    ),
    Mutant(
        "an intent names the wrong version",
        "The audit trail speaks of the version that is replaced, not of the one that is promoted.",
        (
            Edit(
                "executor.py",
                '            Subject(action.version_id, self.observed.key_inside(new) or "", label=AWSCURRENT),\n',
                '            Subject(action.replacing or "", "", label=AWSCURRENT),\n',
            ),
        ),
    ),
    Mutant(
        "a leaked key keeps its grace",
        "Once AWSCURRENT has moved, a compromise is a rotation like any other.",
        (
            Edit(
                "reconcile.py",
                "    Demand.COMPROMISED: Demand.CONTAINING,\n",
                "    Demand.COMPROMISED: Demand.DUE,\n",
            ),
        ),
        (_FORCE,),
    ),
    Mutant(
        "nothing is protected from the plan",
        "The managing key, and one that another secret holds, are revoked like any other that was replaced.",
        (
            Edit(
                "retiring.py",
                "    return {*in_use, *observed.protected}\n",
                "    return {*in_use}\n",
            ),
            Edit(
                "guards.py",
                "    if observed.current is None or key_id in in_use | observed.protected:\n",
                "    if observed.current is None or key_id in in_use:\n",
            ),
        ),
        (_NEEDED,),
    ),
    Mutant(
        "neighbours are not asked",
        "Nobody looks which key is the managing one, or held by another configured secret.",
        (
            Edit(
                "observer.py",
                "    return kept if managing is None else kept | {managing}\n",
                "    return frozenset()\n",
            ),
        ),
        (_NEEDED,),
    ),
    Mutant(
        "names that contain one of ours are ours",
        "A key is taken for ours if one of our names stands anywhere in its own, as Pinata's filter finds it.",
        (
            Edit(
                "naming.py",
                "        if not key_name.startswith(self.prefix):\n            return 0\n"
                "        return generation_of_version(key_name.removeprefix(self.prefix))\n",
                "        if self.prefix not in key_name:\n            return 0\n"
                "        return generation_of_version(key_name.partition(self.prefix)[2])\n",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a promotion forgets a hand-made key",
        "A pending version that does not name the key a person put in since is promoted over it.",
        (
            Edit(
                "planner.py",
                "            if _forgets_current(observed):\n",
                "            if False:\n",
            ),
        ),
        (_PERSON,),
    ),
    Mutant(
        "a generation is one above the current one",
        "A new key may get the generation of one that was made and never promoted.",
        (
            Edit(
                "reconcile.py",
                "    generation = observed.highest_generation() + 1\n",
                "    generation = observed.generation(observed.current) + 1\n",
            ),
        ),
        (_DYING,),
    ),
    Mutant(
        "a current key that the list lacks is not asked about",
        "A key is taken for live where the list does not show it, whatever testAuthentication says.",
        (
            Edit(
                "observer.py",
                "        asked.append((current, seen.current))\n",
                "        pass\n",
            ),
        ),
        ("a person meddles, dead keys are not listed",),
    ),
    Mutant(
        "whoever forces need not wait",
        "A forced rotation, or a take-over, does not let the grace of the one before end.",
        (
            Edit(
                "planner.py",
                "_URGENT = frozenset({Reason.NO_CURRENT, Reason.KEY_REVOKED, Reason.COMPROMISED})\n",
                "_URGENT = frozenset({Reason.NO_CURRENT, Reason.KEY_REVOKED, Reason.COMPROMISED, "
                "Reason.FORCED, Reason.ADOPTED})\n",
            ),
        ),
        ("forced again and again",),
    ),
)

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
REPOSITORY = Path(__file__).parents[2]
"""The folder that holds the package and the tests."""


def mutated(mutant: Mutant) -> dict[str, str]:
    """Return the source of each module that a bug changes, by its path in the package.

    Raises:
        ValueError: an edit does not fit the source exactly once.
    """
    sources: dict[str, str] = {}
    for edit in mutant.edits:
        source = sources.get(edit.module) or (REPOSITORY / "rotator" / edit.module).read_text()
        if source.count(edit.old) != 1:
            raise ValueError(
                f"the edit of {edit.module} for `{mutant.name}` fits {source.count(edit.old)} times"
            )
        sources[edit.module] = source.replace(edit.old, edit.new)
    return sources


def plant(mutant: Mutant, folder: Path) -> None:
    """Put a copy of the package with the bug in it, and the tests beside it, into a folder.

    Raises:
        ValueError: as `mutated`.
    """
    sources = mutated(mutant)
    package = folder / "rotator"
    shutil.copytree(REPOSITORY / "rotator", package, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "tests").symlink_to(REPOSITORY / "tests")
    for module, source in sources.items():
        (package / module).write_text(source)
