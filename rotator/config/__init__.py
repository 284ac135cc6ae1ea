"""The configuration: one TOML file, read into frozen values, every problem reported at once.

file       the whole, and the checks that span tables
tables     [pinata], [aws], [audit], [daemon]
entries    one [[secrets]] entry, or [defaults]
fields     tables that note problems instead of raising
values     one text -> one value
starter    the file that `rotator init` writes
"""
