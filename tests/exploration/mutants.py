"""Seeded bugs: small changes to the real program, each of which some exploration must find.

A checker that finds nothing proves nothing until it has found what is known to be wrong. Several of these are
published bugs of other rotators.
"""

from tests.exploration.planting import Edit, Mutant

_RACE = "2 runs at once, <=1 fault"
_ANY = "any number of runs, <=1 fault each"
_GRACE = "with grace, <=2 faults, time passes"
_EVERY = "every beginning, every fault, <=1 fault"
_LEAK = "a key leaks, <=1 fault"
_PERSON = "a person meddles, <=1 fault"
_REPLICA = "a replica falls behind, <=1 fault"
_DYING = "a person meddles while old keys die"
_LEAPFROG = "the managing key replaces itself, <=1 fault"
_ROLLED_BACK = "rolled back by command, <=1 fault"
_NEEDED = "keys that something else needs, <=1 fault"
_CONSUMER = "a consumer follows late, never, or goes back, <=1 fault"
_CONSUMER_SILENT = "narrow: a consumer gives no answer"
_CONSUMER_LEAK = "a key that a consumer keeps leaks, <=1 fault"
_LIES = "proofs that lie, <=2 faults"
_NATIVE = "Secrets Manager's own rotation, <=1 fault"
_NATIVE_PERSON = "Secrets Manager's own rotation, a person meddles"
_BROKEN = "a person breaks the value, <=1 fault"
_REFUSED = "refused again and again"
_ONE_DIES = "narrow: 2 runs at once, one dies"
_WRONG = "narrow: a wrong JWT, and a run that dies"
_DELAYED = "narrow: a person rolls back, a request is delayed"
_ACKNOWLEDGED = "narrow: a key leaks, a revocation is acknowledged"
_BROKEN_DEAD = "narrow: a person breaks the value, a run dies"
_REFUSED_DUE = "narrow: refused again and again"
_NATIVE_WRONG = "narrow: Secrets Manager's own rotation, a wrong JWT"
_NATIVE_EDITED = "narrow: Secrets Manager's own rotation, a person meddles"
_TAKING_OVER = "taking over at once, <=1 fault"

_FENCE = "self.observed.generation(new) <= self.observed.generation(replaced)"
_PROMOTE_CALL = "self.store.promote(arn, action.version_id, action.replacing, self.deadline)"
_PROMOTE = f"""
promoted_at = self._audited(
    Operation.PROMOTE,
    Subject(action.version_id, self.observed.key_inside(new) or "", label=AWSCURRENT),
    lambda: {_PROMOTE_CALL},
)
"""
_IN_USE = "observed.current is None or key_id in in_use | observed.protected"
_IS_BEHIND = "description.replicas_behind and key_id not in without_grace(observed)"
_AGAIN = "isinstance(action, Revoke) and self.observed is not observed"
_OURS_BELOW = "0 < observed.generation_of_key(key) <= fence"
_CREATE = "self.provider.create_key(name, self.spec.permissions, self.spec.max_uses, self.deadline)"
_CREATE_TWICE = f"""
def twice():
    try:
        return {_CREATE}
    except RotatorError:
        return {_CREATE}
"""
_CREATED = """
new = self._audited(
    Operation.CREATE_KEY,
    subject,
    {call},
    lambda made: (replace(subject, key_id=made.key_id), ""),
)
"""
_INTENT = "audit.record(Intent(operation, subject))"

MUTANTS = (
    Mutant(
        "revoke before promote",
        "The old key is revoked before AWSCURRENT has left it (seen in a published Confluent plugin).",
        (
            Edit(
                "engine.planner:plan",
                "actions = (create, Verify(new_version_id), Promote(new_version_id, replacing))",
                "from rotator.model.plan import Revoke\n"
                "old = observed.key_inside(observed.current)\n"
                "actions = (create, Verify(new_version_id), *(Revoke(k) for k in [old] if k), "
                "Promote(new_version_id, replacing))",
            ),
            Edit("engine.guards:check_revocable", _IN_USE, "observed.current is None"),
            Edit("engine.executor:Executor.perform", _AGAIN, "False"),
        ),
    ),
    Mutant(
        "promote without compare-and-swap",
        "AWSCURRENT is taken from whichever version has it by now, not from the one this plan saw.",
        (
            Edit(
                "engine.executor:Executor._promote",
                _PROMOTE_CALL,
                "self.store.promote(arn, action.version_id, next((v.version_id for v in "
                "self.store.describe(arn, self.deadline).versions if AWSCURRENT in v.labels), None), "
                "self.deadline)",
            ),
        ),
        (_ONE_DIES,),
    ),
    Mutant(
        "any pending version is adopted",
        "A pending version is promoted whatever its generation is.",
        (
            Edit(
                "engine.pending:overtaken",
                "pending is None or observed.generation(pending) > observed.generation(observed.current)",
                "pending is None or pending is not observed.current",
            ),
            Edit("engine.executor:Executor._promote", _FENCE, "new is replaced"),
        ),
        (_ONE_DIES,),
    ),
    Mutant(
        "nothing to do once current",
        "Revocation belongs to the run that rotated; a secret that is up to date is not looked at (AWS templates).",
        (
            Edit(
                "engine.planner:plan",
                "not actions and not reason.keeps_keys",
                "not actions and not reason.keeps_keys and reason != 'UP_TO_DATE'",
            ),
        ),
    ),
    Mutant(
        "new keys are not proved",
        "A new key is promoted without asking testAuthentication.",
        (Edit("engine.proofs:Proofs.working", "answer not in wanted", "False"),),
        (_EVERY,),
    ),
    Mutant(
        "a promotion that times out has failed",
        "When the answer to the promotion is lost, the new key is revoked.",
        (
            Edit(
                "engine.executor:Executor._promote",
                _PROMOTE,
                "try:\n"
                + "".join(f"    {line}\n" for line in _PROMOTE.splitlines())
                + "except StoreUnavailableError:\n"
                "    self._revoke_unstored(self.observed.key_inside(new) or '', '')\n"
                "    raise",
            ),
        ),
    ),
    Mutant(
        "a put that times out has failed",
        "When the answer to the put is lost, the minted key is revoked, though it may be stored.",
        (
            Edit(
                "engine.executor:Executor._create",
                "(StoreUnavailableError, AuditUnavailableError)",
                "AuditUnavailableError",
            ),
        ),
        (_TAKING_OVER, _EVERY),
    ),
    Mutant(
        "orphans are not swept",
        "Only the key before is retired; keys that were made and never stored live for ever.",
        (
            Edit(
                "engine.superseded:superseded_keys",
                _OURS_BELOW,
                "0 < observed.generation_of_key(key) == observed.generation(observed.previous)",
            ),
        ),
    ),
    Mutant(
        "keys nobody refers to are swept",
        "Every key of ours that is neither current nor pending is revoked, whatever its generation is.",
        (Edit("engine.superseded:superseded_keys", _OURS_BELOW, "0 < observed.generation_of_key(key)"),),
        (_RACE, _ANY),
    ),
    Mutant(
        "no grace",
        "The old key is revoked as soon as the new one is current.",
        (Edit("engine.retirement:is_grace_over", "now - promoted_at >= spec.grace", "True"),),
        (_GRACE,),
    ),
    Mutant(
        "names that begin like ours are ours",
        "A key is taken for ours if its name only begins like one of ours.",
        (
            Edit(
                "model.naming:generation_of_version",
                "_VERSION_ID.fullmatch(version_id)",
                "_VERSION_ID.match(version_id)",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "AWSPENDING is left behind",
        "The pending label stays on the promoted version, and nobody takes it off.",
        (
            Edit("engine.executor:Executor._promote", "self._remove_label(action.version_id, AWSPENDING)", "None"),
            Edit(
                "engine.rules:decide",
                "first(PENDING, s)",
                "s.observed.pending != s.observed.current and first(PENDING, s)",
            ),
        ),
    ),
    Mutant(
        "a stuck attempt is never given up",
        "A pending version whose key does not work stays pending for ever.",
        (Edit("engine.pending:stalled", "too_old or (key and key.state is KeyState.REVOKED)", "False"),),
        (_WRONG,),
    ),
    Mutant(
        "keys are made without limit",
        "`live_keys_max` is not looked at.",
        (
            Edit("engine.conditions:no_room", "len(s.observed.live_keys()) < s.spec.live_keys_max", "True"),
            Edit("engine.conditions:orphans_fill_up", "len(s.observed.live_keys()) < s.spec.live_keys_max", "True"),
        ),
        (_ANY, "1 run after another, <=2 faults"),
    ),
    Mutant(
        "a create is repeated in place",
        "When the answer to a create is lost, it is sent again.",
        (
            Edit(
                "engine.executor:Executor._create",
                _CREATED.format(call=f"lambda: {_CREATE}"),
                _CREATE_TWICE + _CREATED.format(call="twice"),
            ),
        ),
    ),
    Mutant(
        "effects before their intents",
        "The audit trail hears of a call when it is over.",
        (
            Edit("engine.audited:audited", _INTENT, "None"),
            Edit("engine.audited:audited", "returned = call()", f"returned = call()\n{_INTENT}"),
        ),
    ),
    Mutant(
        "an audit trail that fails is ignored",
        "An intent that cannot be recorded does not stop the effect (seen in a published rotation engine).",
        (Edit("engine.audited:audited", _INTENT, f"try:\n    {_INTENT}\nexcept RotatorError:\n    pass"),),
        (_EVERY,),
    ),
    Mutant(
        "a hold is not respected",
        "The hold tag does not stop a rotation (as when Azure's automation overlooked a key's retain mark).",
        (Edit("engine.conditions:on_hold", "s.observed.description.hold_at(s.now) is None", "True"),),
        (_PERSON,),
    ),
    Mutant(
        "replicas are not looked at",
        "The old key is revoked while a region still has the value before (nearly every published rotation function).",
        (
            Edit(
                "engine.retirement:retire",
                "bool(observed.description.replicas_behind or behind(spec, observed))",
                "bool(behind(spec, observed))",
            ),
            Edit("engine.guards:check_revocable", _IS_BEHIND, "False"),
            Edit(
                "engine.guards:check_unchanged",
                "bool(seen.replicas_behind) and key_id not in without_grace(planned_from)",
                "False",
            ),
        ),
        (_REPLICA,),
    ),
    Mutant(
        "a hand edit is overwritten",
        "A key that a person put over ours is replaced unasked.",
        (Edit("engine.conditions:drifted", "observed.generation(observed.previous) > 0 or was_ours", "False"),),
        (_PERSON,),
    ),
    Mutant(
        "a roll-back is undone",
        "A label that a person moved back is moved on again unasked.",
        (Edit("engine.conditions:rolled_back", "0 < generation < observed.generation(observed.previous)", "False"),),
        (_PERSON,),
    ),
    Mutant(
        "a take-over forgets what it replaced",
        "No label names the hand-made key, so nobody ever retires it.",
        (Edit("engine.superseded:marks_of", "frozenset({OURS, REPLACED_PREFIX + foreign})", "frozenset({OURS})"),),
        (_EVERY,),
    ),
    Mutant(
        "scopes are not compared",
        "A key that may do more than was asked is promoted.",
        (
            Edit("engine.proofs:Proofs.listed", "difference(self.spec.permissions, key.scopes)", "None"),
            Edit("engine.proofs:Proofs.scopes", "difference(spec.permissions, key.scopes if key else None)", "None"),
        ),
        (_EVERY,),
    ),
    Mutant(
        "an error quotes the token",
        "The message about a refused key holds the beginning of its token.",
        (
            Edit(
                "engine.proofs:Proofs.working",
                """f"testAuthentication does not accept the key's {what} after {within_s:g} s: {answer.value}\"""",
                'f"testAuthentication does not accept the key: {held.jwt.reveal()[:40]}"',
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a mask is stored",
        "What is put is a redacted token (as in Cloudflare's incident of 2023-01-24).",
        (Edit("model.payload:compose", "spliced(raw, fields)", "spliced(raw, fields | {shape.jwt: repr(new.jwt)})"),),
    ),
    Mutant(
        "finishSecret trusts testSecret",
        "Secrets Manager's version is promoted by a finishSecret that nobody's testSecret came before.",
        (
            Edit(
                "engine.native:_remaining",
                "actions if reason is Reason.INTERRUPTED else ()",
                "actions[1:] if reason is Reason.INTERRUPTED else ()",
            ),
        ),
        (_NATIVE_WRONG,),
    ),
    Mutant(
        "an empty version is never given up",
        "AWSPENDING stays on the version without a value that a failed rotation left, and blocks all others.",
        (Edit("engine.pending:empty", "s.now - pending.content.created_at > patience", "False"),),
        (_NATIVE,),
    ),
    Mutant(
        "Secrets Manager's schedule overrules people",
        "A rotation that a schedule began replaces a key that a person put in.",
        (
            Edit(
                "engine.conditions:drifted",
                "s.demand.overrides(Override.DECISIONS)",
                "s.demand.overrides(Override.AGE)",
            ),
            Edit(
                "engine.conditions:rolled_back",
                "s.demand.overrides(Override.DECISIONS)",
                "s.demand.overrides(Override.AGE)",
            ),
        ),
        (_NATIVE_EDITED,),
    ),
    Mutant(
        "a version of Secrets Manager's has no generation",
        "Which key is inside AWSPREVIOUS is not read where Secrets Manager chose the version id.",
        (
            Edit(
                "engine.observer:_with_previous",
                "any(key.name.endswith(nonce_of(previous.version_id)) for key in seen.keys)",
                "False",
            ),
        ),
        (_NATIVE_EDITED,),
    ),
    Mutant(
        "a run never ends",
        "A run that has nothing left to do asks again and again.",
        (
            Edit(
                "engine.reconcile:_Progress.settle",
                "if not chosen.actions:\n    return",
                "while not chosen.actions:\n    self._described()",
            ),
        ),
    ),
    Mutant(
        "a token that still works is dead",
        "The list alone is asked whether a revocation had its effect.",
        (Edit("engine.proofs:Proofs.dead", "answer not in _DEAD", "False"),),
        (_LIES,),
    ),
    Mutant(
        "a key that outlives its revocation is not marked",
        "Only the run that revoked it knows; the list says that it is dead.",
        (
            Edit(
                "engine.executor:Executor._prove_dead", "action.key_id not in self.observed.replaced_key_ids()", "False"
            ),
        ),
        ("narrow: a revocation that only the list shows",),
    ),
    Mutant(
        "revoked without looking at the current key",
        "Whether consumers have a key that works is not asked before an old one is revoked.",
        (
            Edit("engine.executor:Executor._revoke", "self.proofs.working(held)", "None"),
            Edit("engine.retirement:retire", "observed.proof is not Proof.ACCEPTED", "False"),
        ),
        ("narrow: a person meddles, a run dies",),
    ),
    Mutant(
        "a revocation does not look again",
        "A hold that is set while a run revokes one key does not save the next one.",
        (Edit("engine.executor:Executor.perform", _AGAIN, "False"),),
        (_DYING,),
    ),
    Mutant(
        "the key's secret is not renewed",
        "The field of the key's secret keeps the old key's.",
        (
            Edit(
                "model.payload:compose",
                "spliced(raw, fields)",
                "spliced(raw, {name: fields[name] for name in fields if name != shape.secret})",
            ),
        ),
    ),
    Mutant(
        "other fields are lost",
        "What else a value holds is not carried over (as in a published rotation function).",
        (Edit("model.payload:compose", "spliced(raw, fields)", "json.dumps(fields)"),),
    ),
    Mutant(
        "an unanswered call is recorded as a failure",
        "The audit trail says that nothing happened where something may have.",
        (
            Edit(
                "engine.audited:audited",
                "Result.UNKNOWN if error.may_have_effect else Result.FAILURE",
                "Result.FAILURE",
            ),
        ),
    ),
    Mutant(
        "a failure has no record",
        "The audit trail is told of outcomes that are successes.",
        (Edit("engine.audited:audited", "audit.record(Done(operation, subject, result, error.message))", "None"),),
    ),
    Mutant(
        "an intent names the wrong version",
        "The audit trail speaks of the version that is replaced, not of the one that is promoted.",
        (
            Edit(
                "engine.executor:Executor._promote",
                'Subject(action.version_id, self.observed.key_inside(new) or "", label=AWSCURRENT)',
                'Subject(action.replacing or "", "", label=AWSCURRENT)',
            ),
        ),
    ),
    Mutant(
        "a leaked key keeps its grace",
        "Once AWSCURRENT has moved, the containment of a leak is a rotation like any other.",
        (
            Edit(
                "engine.containment:without_grace",
                "named | {key_id for key_id in superseded_keys(observed) if ages.get(key_id, 0) <= fence}",
                "frozenset()",
            ),
        ),
        (_LEAK,),
    ),
    Mutant(
        "a containment is believed to be done",
        "The tag that demands it goes once the new key is current, whatever becomes of the leaked one.",
        (Edit("engine.containment:alive", "not is_proved_dead(observed, key_id)", "must_move(observed)"),),
        (_LEAK,),
    ),
    Mutant(
        "a hand-typed tag means the key of the day",
        "Which key a reason without an id means is asked anew by each run, so the replacement is contained as well.",
        (
            Edit(
                "engine.containment:demanded",
                "frozenset(containment_in(observed.contain, known).key_ids)",
                "frozenset(containment_in(observed.contain, known).key_ids"
                " or ((observed.current_key.key_id,) if observed.current_key else ()))",
            ),
        ),
        (_LEAK,),
    ),
    Mutant(
        "a since label counts wherever it is",
        "A label that a roll-back left behind says when the current version was promoted.",
        (
            Edit(
                "model.observed:SecretDescription.promoted_at",
                "(v.since() for v in self.versions if AWSCURRENT in v.labels)",
                "(v.since() for v in self.versions if v.since())",
            ),
            Edit("model.observed:Observed.false_since", "AWSCURRENT not in version.labels", "False"),
        ),
        (_DELAYED,),
    ),
    Mutant(
        "grace begins when the run did",
        "The since label has the time at which the run began, and not that of the promotion.",
        (
            Edit(
                "engine.executor:Executor._promote",
                "since_label(promoted_at)",
                "since_label(self.run.now - 2 * self.spec.grace)",
            ),
            Edit("model.observed:Observed.promoted_at", "content is not None", "False"),
        ),
        (_GRACE,),
    ),
    Mutant(
        "nothing is protected from the plan",
        "The managing key, and one that another secret holds, are revoked like any other that was replaced.",
        (
            Edit("engine.superseded:kept_keys", "{*in_use, *observed.protected}", "{*in_use}"),
            Edit("engine.guards:check_revocable", _IN_USE, "observed.current is None or key_id in in_use"),
        ),
        (_NEEDED,),
    ),
    Mutant(
        "neighbours are not asked",
        "Nobody looks which key is the managing one, or held by another configured secret.",
        (Edit("engine.observer:_protected", "kept if managing is None else kept | {managing}", "frozenset()"),),
        (_NEEDED,),
    ),
    Mutant(
        "a managing key is promoted untried",
        "That it is accepted is enough; whether it can make and revoke keys shows when it has to.",
        (Edit("engine.executor:Executor._verify", "self.spec.manages and generation", "False"),),
        (_LEAPFROG,),
    ),
    Mutant(
        "a run revokes the key that it works with",
        "A managing key that was replaced is superseded like any other.",
        (Edit("engine.observer:_protected", "kept if managing is None else kept | {managing}", "kept"),),
        (_LEAPFROG,),
    ),
    Mutant(
        "a key comes back that a run may be revoking",
        "A roll-back asks whether the previous key works, and not whether its grace is over.",
        (
            Edit(
                "engine.rollback:check_previous",
                "description.hold_at(run.now) is None and is_grace_over(spec, description.promoted_at(), run.now)",
                "False",
            ),
        ),
        (_ROLLED_BACK,),
    ),
    Mutant(
        "names that contain one of ours are ours",
        "A key is taken for ours if one of our names stands anywhere in its own, as Pinata's filter finds it.",
        (
            Edit(
                "model.naming:KeyFamily.generation",
                "not key_name.startswith(self.prefix)",
                "self.prefix not in key_name",
            ),
            Edit(
                "model.naming:KeyFamily.generation",
                "key_name.removeprefix(self.prefix)",
                "key_name.partition(self.prefix)[2]",
            ),
        ),
        (_EVERY,),
    ),
    Mutant(
        "a promotion forgets a hand-made key",
        "A pending version that does not name the key a person put in since is promoted over it.",
        (Edit("engine.pending:forgets_current", "foreign is None or foreign in observed.replaced_key_ids()", "True"),),
        (_PERSON,),
    ),
    Mutant(
        "a generation is one above the current one",
        "A new key may get the generation of one that was made and never promoted.",
        (
            Edit(
                "engine.reconcile:_next_generation",
                "observed.next_generation()",
                "observed.generation(observed.current) + 1",
            ),
        ),
        (_DYING,),
    ),
    Mutant(
        "the id is proved, and not the credential",
        "A token is taken for good if the list shows its key as live.",
        (
            Edit(
                "engine.observer:Observer._proof",
                "self.provider.authenticate(form, self.reader.deadline) is not Authentication.REFUSED",
                "seen.key(held.key_id) or self.provider.authenticate(form, self.reader.deadline) "
                "is not Authentication.REFUSED",
            ),
        ),
        (_BROKEN,),
    ),
    Mutant(
        "whoever forces need not wait",
        "A forced rotation, or a take-over, does not let the grace of the one before end.",
        (
            Edit(
                "engine.rules:begin",
                "ALLOWED_IF_URGENT if urgent else ALLOWED",
                "ALLOWED_IF_URGENT if urgent or due in {Reason.FORCED, Reason.ADOPTED} else ALLOWED",
            ),
        ),
        ("forced again and again",),
    ),
    Mutant(
        "a refused credential is a drift",
        "A dead key that a person put over ours waits for a person, while consumers are refused.",
        (
            Edit(
                "engine.conditions:drifted",
                "s.demand.overrides(Override.DECISIONS) or s.is_unserved or observed.proof is Proof.TOO_YOUNG",
                "s.demand.overrides(Override.DECISIONS)",
            ),
        ),
        (_BROKEN,),
    ),
    Mutant(
        "a placeholder is left alone",
        "A value that somebody overwrote with a placeholder is not filled.",
        (Edit("engine.rules:URGENT", "rule.no_credential", "rule.contained"),),
        ("narrow: a placeholder, and a run that dies",),
    ),
    Mutant(
        "an id in a refused value is a credential",
        "The label of a take-over names a key that testAuthentication did not accept.",
        (
            Edit(
                "engine.superseded:marks_of",
                "foreign is None or observed.proof is not Proof.ACCEPTED",
                "foreign is None",
            ),
        ),
        (_BROKEN_DEAD,),
    ),
    Mutant(
        "attempts do not back off",
        "Each run makes another key, whatever became of the ones before.",
        (Edit("engine.conditions:backing_off", "waits and not s.demand.overrides(Override.DECISIONS)", "False"),),
        (_REFUSED_DUE,),
    ),
    Mutant(
        "dead attempts are not counted",
        "The back-off sees the keys that live, and not those that were revoked again.",
        (Edit("engine.reconcile:_mints", "any(isinstance(action, Create) for action in planned.actions)", "False"),),
        (_REFUSED_DUE,),
    ),
    Mutant(
        "a key under another name is stored",
        "The name that the provider lists is not compared with the one that was asked for.",
        (Edit("engine.proofs:Proofs.listed", "key.name != name", "False"),),
        (_EVERY,),
    ),
    Mutant(
        "an unproved death is told as a proof",
        "A hand-made key without a name and without a token to ask with is called dead unasked.",
        (Edit("engine.proofs:Proofs.dead", "key is not None or old is None", "key is not None"),),
        (_ACKNOWLEDGED,),
    ),
    Mutant(
        "consumers are not asked",
        "The old key dies after its grace, whoever still has it (every published rotation function).",
        (
            Edit(
                "engine.rollout:behind",
                "tuple(consumer.name for consumer in spec.consumers if consumer not in followed)",
                "()",
            ),
        ),
        (_CONSUMER,),
    ),
    Mutant(
        "who cannot be asked has followed",
        "A consumer that gives no answer holds nothing up.",
        (
            Edit(
                "engine.rollout:behind",
                "seen.state is RollOut.FOLLOWED",
                "seen.state in {RollOut.FOLLOWED, RollOut.UNKNOWN}",
            ),
        ),
        (_CONSUMER_SILENT,),
    ),
    Mutant(
        "a containment forgets the deployment",
        "No since label is put before a contained key dies, so nothing tells that its consumer is to be redeployed.",
        (Edit("engine.retirement:retire", "_stamp(observed) if dying and redeploys(spec) else ()", "()"),),
        (_CONSUMER_LEAK,),
    ),
    Mutant(
        "a deployment is forgotten with the old key",
        "The since label goes when no superseded key is alive, though the deployment has not begun.",
        (Edit("engine.retirement:retire", "is_outstanding(spec, observed)", "False"),),
        (_CONSUMER_LEAK,),
    ),
)

BY_NAME = {mutant.name: mutant for mutant in MUTANTS}
