"""A simulated Pinata: its key API in all three generations, over one set of keys.

world, records, scopes, listing, tokens    the rules, pure: no clock, no randomness, no I/O of their own
switches                                   one answer to every question its documentation leaves open
site, routes, wire, bodies, limits         the web site, without sockets
faults                                     what goes wrong, and when
server, controls                           on a loopback port, and steered from there
"""
