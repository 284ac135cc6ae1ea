"""The explorations that are run: QUICK for every change, DEEP for the night.

`AT_ONCE` is a secret whose superseded key is revoked in the same run, `WITH_GRACE` one whose consumers get a day.
One look per proof instead of polling (`verify_timeout`): that a proof is not given in time is a fault of its own.
"""

from dataclasses import replace
from datetime import timedelta

from rotator.model.consumers import EcsService
from rotator.model.secret import Admin, Demand
from rotator.sandbox.pinata.switches import Listed, RevokedFilter, Switches
from tests.builders import a_spec
from tests.exploration.bounds import Budgets, Configuration
from tests.exploration.fates import Fate
from tests.exploration.instances import leapfrog, reconcile_beside_another
from tests.exploration.native import rotate_or_reconcile
from tests.exploration.people import break_value, deploy, go_back, leak, leak_or_deploy, roll_back
from tests.exploration.rolled_back import roll_back_or_reconcile

_ONE_LOOK = timedelta(seconds=1)
AT_ONCE = a_spec(grace=timedelta(0), settle=timedelta(0), verify_timeout=_ONE_LOOK)
WITH_GRACE = a_spec(verify_timeout=_ONE_LOOK)
SERVICE = EcsService("prod", "uploader")
FOLLOWED_AT_ONCE = replace(AT_ONCE, consumers=(SERVICE,))
FOLLOWED = replace(WITH_GRACE, consumers=(SERVICE,))
REDEPLOYED = replace(AT_ONCE, consumers=(replace(SERVICE, redeploy=True),))
MANAGING = replace(AT_ONCE, manages=True, permissions=Admin())

PLAIN = frozenset({Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.LOST, Fate.LATE, Fate.DELAYED, Fate.REJECTED})
"""What a network and a power cut can do."""
AT_REST = frozenset({Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.LATE})
"""What leaves a world between two runs in every state that `PLAIN` can: a call had its effect, or it had none."""
ALL = frozenset(Fate)
ALL_BUT_WIDER = ALL - {Fate.WIDER}
"""Without a grace a rotation does not read the list again, so wider scopes show up only at the next look."""
NEAR = ALL - {Fate.LISTED_ONLY}
"""A key that outlives its revocation is known by its token: where that is in no version any more, nobody can know."""
_OWN_AND_NATIVE = (Demand.DUE, Demand.NATIVE)
_BY_HAND = (Demand.DUE, Demand.FORCED)

QUICK = (
    Configuration(
        "any number of runs, <=1 fault each",
        AT_ONCE,
        ("due",),
        Budgets(runs=1, faults=1),
        fates=frozenset({Fate.CRASH_AFTER, Fate.LATE, Fate.WRONG_JWT}),
        zombies_max=0,
        live_keys_cap=4,
        renews=True,
    ),
    Configuration(
        "2 runs at once, <=1 fault",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, faults=1, preemptions=2),
        instances=2,
        fates=NEAR - {Fate.WIDER, Fate.DENIED, Fate.AUDIT_ONCE},
    ),
    Configuration(
        "1 run after another, <=2 faults",
        AT_ONCE,
        ("due",),
        Budgets(runs=3, faults=2),
        fates=PLAIN | {Fate.PARTIAL, Fate.WRONG_JWT},
    ),
    Configuration(
        "with grace, <=2 faults, time passes",
        WITH_GRACE,
        ("due",),
        Budgets(runs=3, faults=2, ticks=(1, 1, 0)),
        fates=frozenset({Fate.CRASH_AFTER, Fate.LATE, Fate.DELAYED, Fate.WRONG_JWT, Fate.STALE}),
    ),
    Configuration(
        "every beginning, every fault, <=1 fault",
        WITH_GRACE,
        ("beside others", "hand-made", "empty"),
        Budgets(runs=2, faults=1, ticks=(1, 1, 0)),
    ),
    Configuration(
        "taking over at once, <=1 fault",
        AT_ONCE,
        ("hand-made", "empty"),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0)),
        fates=ALL_BUT_WIDER,
    ),
    Configuration(
        "keys that something else needs, <=1 fault",
        AT_ONCE,
        ("managing", "shared"),
        Budgets(runs=2, faults=1),
        fates=ALL_BUT_WIDER,
        program=reconcile_beside_another,
    ),
    Configuration(
        "proofs that lie, <=2 faults",
        AT_ONCE,
        ("hand-made", "crowded"),
        Budgets(runs=2, faults=2),
        fates=PLAIN | {Fate.ACKNOWLEDGED, Fate.PARTIAL, Fate.SHIFTED, Fate.DENIED, Fate.TIME_UP},
    ),
    Configuration(
        "forced, <=1 fault",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0)),
        demands=_BY_HAND,
        leaks=True,
    ),
    Configuration(
        "a key leaks, <=1 fault",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        fates=(PLAIN - {Fate.DELAYED}) | {Fate.ACKNOWLEDGED, Fate.DENIED, Fate.TIME_UP},
        leaks=True,
        moves=leak,
    ),
    Configuration(
        "the managing key replaces itself, <=1 fault",
        MANAGING,
        ("managing key due", "managing key hand-made"),
        Budgets(runs=2, faults=1),
        fates=PLAIN | {Fate.DENIED, Fate.WRONG_JWT, Fate.WIDER, Fate.STALE, Fate.ACKNOWLEDGED},
        leaks=True,
        program=leapfrog,
    ),
    Configuration(
        "the managing key replaces itself with grace, <=2 faults",
        replace(WITH_GRACE, manages=True, permissions=Admin(), settle=timedelta(0)),
        ("managing key due",),
        Budgets(runs=2, faults=2, ticks=(1, 1, 0)),
        fates=frozenset({Fate.CRASH_BEFORE, Fate.CRASH_AFTER, Fate.LATE, Fate.WIDER}),
        program=leapfrog,
    ),
    Configuration(
        "the managing key replaces itself, 2 runs at once",
        MANAGING,
        ("managing key due",),
        Budgets(runs=2, faults=1, preemptions=2),
        instances=2,
        fates=PLAIN | {Fate.WIDER},
        program=leapfrog,
    ),
    Configuration(
        "rolled back by command, <=1 fault",
        WITH_GRACE,
        ("due",),
        Budgets(runs=3, faults=1, ticks=(0, 1, 0)),
        demands=_BY_HAND,
        fates=PLAIN,
        program=roll_back_or_reconcile,
    ),
    Configuration(
        "a person meddles, <=1 fault",
        WITH_GRACE,
        ("due",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        demands=_BY_HAND,
        fates=frozenset({Fate.CRASH_AFTER, Fate.DELAYED}),
    ),
    Configuration(
        "a person breaks the value, <=1 fault",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, faults=1, ticks=(1, 1, 0), people=1),
        fates=AT_REST,
        moves=break_value,
    ),
    Configuration(
        "a person breaks the value with 2 runs at once",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, preemptions=1, people=1),
        instances=2,
        fates=frozenset(),
        moves=break_value,
    ),
    Configuration(
        "refused again and again",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=5, faults=4, ticks=(4, 0, 0)),
        fates=frozenset({Fate.REJECTED}),
    ),
    Configuration(
        "refused again and again, and nobody is served",
        WITH_GRACE,
        ("due",),
        Budgets(runs=3, faults=2, ticks=(2, 0, 0), people=1),
        fates=frozenset({Fate.REJECTED}),
        moves=break_value,
    ),
    Configuration(
        "forced again and again",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=4, ticks=(1, 1, 0)),
        demands=(Demand.DUE, Demand.FORCED),
        fates=frozenset(),
    ),
    Configuration(
        "a person meddles, dead keys are not listed",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, ticks=(0, 1, 0), people=1),
        fates=frozenset(),
        switches=Switches(jwt_lifetime_s=None, listed_by_default=Listed.ACTIVE_ONLY),
    ),
    Configuration(
        "a person meddles, the filter of the list is ignored",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, ticks=(0, 1, 0), people=1),
        fates=frozenset(),
        switches=Switches(jwt_lifetime_s=None, revoked_filter=RevokedFilter.IGNORED),
    ),
    Configuration(
        "a person meddles, the filter of the list is inverted",
        WITH_GRACE,
        ("due", "hand-made", "crowded"),
        Budgets(runs=3, faults=1, ticks=(1, 1, 0), people=1),
        fates=AT_REST,
        heals=False,
        switches=Switches(jwt_lifetime_s=None, revoked_filter=RevokedFilter.INVERTED),
    ),
    Configuration(
        "a person meddles while old keys die", WITH_GRACE, ("crowded",), Budgets(runs=1, people=2), fates=PLAIN
    ),
    Configuration(
        "a person meddles with 2 runs at once",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, preemptions=2, people=1),
        instances=2,
        fates=PLAIN,
    ),
    Configuration(
        "a replica falls behind, <=1 fault",
        AT_ONCE,
        ("replicated",),
        Budgets(runs=2, faults=1, preemptions=1, people=2),
        instances=2,
        fates=PLAIN - {Fate.REJECTED},
    ),
    Configuration(
        "2 runs at once, every interleaving",
        AT_ONCE,
        ("due", "hand-made", "empty"),
        Budgets(runs=2, preemptions=99),
        instances=2,
        fates=PLAIN,
    ),
    Configuration(
        "RotateSecret's placeholder, every fault",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, faults=1),
        demands=_OWN_AND_NATIVE,
        fates=ALL_BUT_WIDER,
        program=rotate_or_reconcile,
    ),
    Configuration(
        "Secrets Manager's own rotation, <=1 fault",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, faults=1, preemptions=1),
        instances=2,
        demands=_OWN_AND_NATIVE,
        fates=AT_REST | {Fate.WRONG_JWT},
        program=rotate_or_reconcile,
    ),
    Configuration(
        "a consumer follows late, never, or goes back, <=1 fault",
        FOLLOWED,
        ("due", "hand-made"),
        Budgets(runs=3, faults=1, ticks=(0, 1, 0), people=2),
        fates=PLAIN - {Fate.DELAYED},
        moves=deploy,
        moves_at_rest=go_back,
    ),
    Configuration(
        "a consumer follows 2 runs at once, <=1 fault",
        FOLLOWED_AT_ONCE,
        ("due",),
        Budgets(runs=3, faults=1, preemptions=1, people=1),
        instances=2,
        fates=AT_REST,
        moves=deploy,
        moves_at_rest=go_back,
    ),
    Configuration(
        "a consumer is redeployed, <=1 fault",
        REDEPLOYED,
        ("due", "hand-made"),
        Budgets(runs=3, faults=1, people=1),
        fates=ALL_BUT_WIDER - {Fate.DELAYED, Fate.STALE, Fate.LISTED_ONLY, Fate.ACKNOWLEDGED},
        moves=deploy,
        moves_at_rest=go_back,
    ),
    Configuration(
        "a key that a consumer keeps leaks, <=1 fault",
        REDEPLOYED,
        ("due",),
        Budgets(runs=2, faults=1, people=2),
        fates=AT_REST,
        leaks=True,
        moves=leak_or_deploy,
    ),
)

NARROW = (
    Configuration(
        "narrow: a consumer gives no answer",
        FOLLOWED_AT_ONCE,
        ("due",),
        Budgets(runs=1, faults=2),
        fates=frozenset({Fate.LOST}),
    ),
    Configuration(
        "narrow: 2 runs at once, one dies",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, faults=1, preemptions=2),
        instances=2,
        fates=frozenset({Fate.CRASH_AFTER, Fate.STALE}),
    ),
    Configuration(
        "narrow: a wrong JWT, and a run that dies",
        WITH_GRACE,
        ("due",),
        Budgets(runs=3, faults=2, ticks=(1, 1, 0)),
        fates=frozenset({Fate.WRONG_JWT, Fate.CRASH_AFTER}),
    ),
    Configuration(
        "narrow: a person rolls back, a request is delayed",
        WITH_GRACE,
        ("due",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        demands=_BY_HAND,
        fates=frozenset({Fate.DELAYED}),
        moves=roll_back,
    ),
    Configuration(
        "narrow: a person meddles, a run dies",
        WITH_GRACE,
        ("due",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        demands=_BY_HAND,
        fates=frozenset({Fate.CRASH_AFTER}),
    ),
    Configuration(
        "narrow: a revocation that only the list shows",
        WITH_GRACE,
        ("due",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0)),
        fates=frozenset({Fate.LISTED_ONLY}),
    ),
    Configuration(
        "narrow: a placeholder, and a run that dies",
        WITH_GRACE,
        ("due",),
        Budgets(runs=2, faults=1, people=1),
        fates=frozenset({Fate.CRASH_AFTER}),
        moves=break_value,
    ),
    Configuration(
        "narrow: a key leaks, a revocation is acknowledged",
        WITH_GRACE,
        ("hand-made",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        fates=frozenset({Fate.ACKNOWLEDGED}),
        leaks=True,
        moves=leak,
    ),
    Configuration(
        "narrow: a person breaks the value, a run dies",
        WITH_GRACE,
        ("hand-made",),
        Budgets(runs=2, faults=1, ticks=(1, 1, 0), people=1),
        fates=frozenset({Fate.CRASH_AFTER}),
        moves=break_value,
    ),
    Configuration(
        "narrow: refused again and again",
        WITH_GRACE,
        ("due",),
        Budgets(runs=5, faults=4, ticks=(4, 0, 0)),
        fates=frozenset({Fate.REJECTED}),
    ),
    Configuration(
        "narrow: Secrets Manager's own rotation, a wrong JWT",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, faults=1),
        demands=_OWN_AND_NATIVE,
        fates=frozenset({Fate.WRONG_JWT}),
        program=rotate_or_reconcile,
    ),
    Configuration(
        "narrow: Secrets Manager's own rotation, a person meddles",
        WITH_GRACE,
        ("hand-made",),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        demands=_OWN_AND_NATIVE,
        fates=frozenset({Fate.CRASH_BEFORE}),
        program=rotate_or_reconcile,
    ),
)
"""Parts of the others, in which a seeded bug is found soon."""

DEEP = (
    *QUICK,
    Configuration(
        "refused for hours",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=7, faults=6, ticks=(6, 0, 0)),
        fates=frozenset({Fate.REJECTED}),
    ),
    Configuration(
        "refused for hours, and nobody is served",
        WITH_GRACE,
        ("due",),
        Budgets(runs=4, faults=3, ticks=(3, 0, 0), people=1),
        fates=frozenset({Fate.REJECTED}),
        moves=break_value,
    ),
    Configuration(
        "2 runs at once, <=1 fault, <=2 preemptions",
        AT_ONCE,
        ("due",),
        Budgets(runs=3, faults=1, preemptions=2),
        instances=2,
        fates=NEAR - {Fate.WIDER, Fate.DENIED, Fate.AUDIT_ONCE},
    ),
    Configuration(
        "1 run after another, <=3 faults",
        AT_ONCE,
        ("due",),
        Budgets(runs=4, faults=3),
        fates=PLAIN | {Fate.PARTIAL, Fate.WRONG_JWT},
    ),
    Configuration(
        "any number of runs, <=1 fault each, every fault",
        AT_ONCE,
        ("due",),
        Budgets(runs=1, faults=1),
        fates=NEAR - {Fate.WIDER, Fate.ACKNOWLEDGED},
        zombies_max=0,
        live_keys_cap=4,
        renews=True,
    ),
    Configuration(
        "any number of runs, <=1 fault each, with grace",
        WITH_GRACE,
        ("due",),
        Budgets(runs=1, faults=1),
        fates=NEAR - {Fate.WIDER, Fate.DENIED, Fate.AUDIT_ONCE, Fate.ACKNOWLEDGED},
        zombies_max=0,
        live_keys_cap=4,
        renews=True,
    ),
    Configuration(
        "any number of runs, <=1 fault each, one delayed request",
        AT_ONCE,
        ("due",),
        Budgets(runs=1, faults=1),
        fates=PLAIN,
        zombies_max=1,
        live_keys_cap=4,
        renews=True,
    ),
    Configuration(
        "any number of runs, 2 at once, <=1 preemption",
        AT_ONCE,
        ("due",),
        Budgets(runs=2, preemptions=1),
        instances=2,
        fates=PLAIN,
        zombies_max=0,
        live_keys_cap=4,
        renews=True,
    ),
    Configuration(
        "1 run after another, <=2 faults, every fault",
        AT_ONCE,
        ("due", "hand-made", "empty"),
        Budgets(runs=3, faults=2, ticks=(1, 1, 0)),
        fates=NEAR - {Fate.WIDER},
    ),
    Configuration(
        "with grace, <=2 faults, every fault",
        WITH_GRACE,
        ("due", "hand-made", "empty"),
        Budgets(runs=3, faults=2, ticks=(1, 1, 0)),
        fates=NEAR - {Fate.WIDER},
    ),
    Configuration(
        "1 run after another, <=3 faults, every fault",
        AT_ONCE,
        ("due",),
        Budgets(runs=4, faults=3),
        fates=NEAR - {Fate.WIDER, Fate.DENIED, Fate.AUDIT_ONCE},
    ),
    Configuration(
        "with grace, <=3 faults, time passes",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=4, faults=3, ticks=(1, 2, 0)),
        fates=PLAIN,
    ),
    Configuration(
        "2 runs at once, <=1 fault, every interleaving",
        AT_ONCE,
        ("due",),
        Budgets(runs=3, faults=1, preemptions=99),
        instances=2,
        fates=PLAIN,
    ),
    Configuration(
        "2 runs at once, <=2 faults, <=2 preemptions",
        AT_ONCE,
        ("due",),
        Budgets(runs=3, faults=2, preemptions=2),
        instances=2,
        fates=PLAIN,
    ),
    Configuration(
        "2 runs at once with grace, frozen processes, <=1 fault",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=3, faults=1, preemptions=2, ticks=(0, 1, 0)),
        instances=2,
        fates=PLAIN,
        suspends=True,
    ),
    Configuration(
        "Secrets Manager's own rotation, every fault",
        WITH_GRACE,
        ("due", "hand-made", "empty"),
        Budgets(runs=3, faults=1, ticks=(1, 1, 0)),
        demands=_OWN_AND_NATIVE,
        program=rotate_or_reconcile,
    ),
    Configuration(
        "Secrets Manager's own rotation, a person meddles",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=2, faults=1, ticks=(0, 1, 0), people=1),
        demands=_OWN_AND_NATIVE,
        fates=PLAIN,
        program=rotate_or_reconcile,
    ),
    Configuration(
        "Secrets Manager's own rotation beside ours, <=1 fault",
        AT_ONCE,
        ("due", "hand-made"),
        Budgets(runs=3, faults=1, preemptions=2),
        instances=2,
        demands=_OWN_AND_NATIVE,
        fates=PLAIN | {Fate.WRONG_JWT, Fate.STALE},
        program=rotate_or_reconcile,
    ),
    Configuration(
        "a person meddles twice, <=1 fault",
        WITH_GRACE,
        ("due", "hand-made"),
        Budgets(runs=3, faults=1, ticks=(0, 1, 0), people=2),
        fates=PLAIN,
    ),
)

BY_NAME = {configuration.name: configuration for configuration in (*DEEP, *NARROW)}
