"""Many secrets, over time.

lookup        the configured secrets and their descriptions
wake          which of them need a closer look, by their labels alone
run           several at a time, each by itself
neighbours    whether another secret uses a key
memory        what is remembered between two looks
strays        live keys of secrets that are no longer configured
keys          every key of the account: whose it is, and where
doctor        what is wrong with a fleet, found before anything is made
signers       whether the key that signs the audit trail is trusted
policies      whom the resource policy of a secret lets read it
"""
