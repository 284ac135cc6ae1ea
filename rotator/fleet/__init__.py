"""Many secrets, over time.

lookup        the configured secrets and their descriptions
wake          which of them need a closer look, by their labels alone
run           several at a time, each by itself
neighbours    whether another secret uses a key
memory        what is remembered between two looks
strays        live keys of secrets that are no longer configured
"""
