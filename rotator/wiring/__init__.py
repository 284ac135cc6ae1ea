"""Putting the real adapters together. Clock, sleep and randomness enter here and are handed on as arguments.

connect        both systems and the audit trail, connected
runs           what one run is given: time, nonce, deadline
trail          the audit trail and where it lies
logs           structured lines that cannot hold a secret
process        what this process lets others see of its memory
call_counts    how many requests went to each system
"""
