"""The words: frozen values without I/O, clock or randomness. What is wanted, seen, may be done, and came of it.

secret         what is wanted of one secret, and what a person may ask for beyond it
observed       what is seen of it in both systems
plan, reasons  what may be done, which of it remains and why, what one run came to
status         where a secret and a fleet stand: the one answer that every screen shows
events         what the audit trail records
naming         names that carry state
credential     secret material, and the one type that carries it
signing        signatures of the audit trail, and the keys that are trusted
secrecy        what looks like secret material, wherever it turns up
payload        the value of a secret: finding the credential in it, composing the next value
jwt            a token as text
near_fields    fields of a value that are called a little otherwise than configured
splicing       new contents for some fields of a JSON text
ports          the outside world: provider, store, audit log, deadline
errors         what can go wrong, and who must act
times          instants and spans as text, and instants from outside
"""
