"""The rules of the planner, in their order: the first one that answers decides.

What a rule asks is in `conditions`, one short function each. A secret on which nobody has decided, and in which
nothing is pending, is asked whether consumers have no good key, then whether a new one is due, and then whether one
may be made now.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from rotator.engine import conditions as rule
from rotator.engine import pending
from rotator.engine.conditions import Decision, Situation
from rotator.model.reasons import Reason

T = TypeVar("T")
Rules = Sequence[Callable[[Situation], T | None]]

STOPPED: Rules[Decision] = (
    rule.unwritable,  # a replica, another owner, or deleted: no value can be put
    rule.on_hold,  # a person said stop: nobody overrules that
    rule.contain_unnamed,  # a key has leaked, and the tag does not say which: write down that it is the current one
    rule.drifted,  # a person put another key in: ask before replacing it
    rule.rolled_back,  # a person moved AWSCURRENT back: ask before moving it on
)
PENDING: Rules[Decision] = (
    pending.empty,  # RotateSecret's placeholder: its rotation is at work, or given up
    pending.contained,  # its key has leaked: discard it
    pending.unusable,  # no credential in it: discard it
    pending.overtaken,  # the fence: not above the current generation, so discard it
    pending.forgets_current,  # it would forget a hand-made key: discard it, and begin again
    pending.stalled,  # too old, or its key is dead: discard it
    pending.usable,  # finish what an earlier run began
)
URGENT: Rules[Reason] = (
    rule.no_current,  # there is no value at all
    rule.no_credential,  # the value is a placeholder
    rule.contained,  # a person said that the key has leaked
    rule.key_revoked,  # Pinata lists the current key as revoked
    rule.current_refused,  # Pinata refuses what consumers read
)
DUE: Rules[Reason] = (
    rule.asked_for,  # a person or RotateSecret wants a new key now
    rule.create_interrupted,  # a key was made and never stored: finish what that run began
    rule.hand_made,  # the key is not ours: take over
    rule.aged_out,  # the key has reached max_age
    rule.nearly_used_up,  # its uses run out
    rule.expiring,  # its token expires soon
)
ALLOWED: Rules[Decision] = (
    rule.not_yet_accepted,  # a person's key, or our own, may not have propagated: ask again before deciding
    rule.outside_window,  # only a person makes a key outside the window
    rule.old_key_waits,  # rotating inside another rotation's grace would expose the key before
    rule.old_key_alive,  # one superseded key at a time: retire it first
    rule.orphans_fill_up,  # too many keys that were never promoted: put the current one above them
    rule.no_room,  # too many keys, and none may die
    rule.backing_off,  # attempts failed lately: the next one waits
)
ALLOWED_IF_URGENT: Rules[Decision] = (
    rule.no_room_even_now,  # two keys more than usual, and none may die
    rule.backing_off,  # attempts failed lately: the next one waits, but an hour at most
)


def first(rules: Rules[T], s: Situation) -> T | None:
    """Return the answer of the first rule that has one."""
    return next((answer for ask in rules if (answer := ask(s)) is not None), None)


def begin(s: Situation) -> Decision:
    """Decide about a secret in which nothing is pending: make a key, make room first, or nothing."""
    urgent = first(URGENT, s)
    due = urgent or first(DUE, s)
    if due is None:
        return rule.not_yet_accepted(s) or (Reason.UP_TO_DATE, ())
    return first(ALLOWED_IF_URGENT if urgent else ALLOWED, s) or (due, (s.create,))


def decide(s: Situation) -> Decision:
    """Answer the first question: must the secret move forward?"""
    return first(STOPPED, s) or first(PENDING, s) or begin(s)
