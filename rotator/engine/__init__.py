"""Deciding about one secret, and doing it. No clock, randomness or client: all of them are arguments.

reconcile     observe, plan, execute, until nothing remains
observer      what one run reads of the two systems
planner       which actions remain, and why
retirement    which superseded keys may die
native        the same rules for the four steps of Secrets Manager's own rotation
executor      one action at a time: guards, intent, call, outcome
proofs        that a new key works, and that a revoked one is dead
effects       what a run expects to see after an action of its own
rules, conditions, age, windows, jitter, guards    what these ask
"""
