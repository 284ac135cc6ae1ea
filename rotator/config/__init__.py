"""The configuration: one TOML file, read into frozen values, every problem reported at once.

file       the whole: reads it, or raises one error with a line for each problem
settings   every setting, declared once: its reader, default, bounds and documentation
rules      what holds between settings
tables     the values of [pinata], [aws], [audit], [run] and [daemon]
starter    the file that `rotator init` writes
schema     what a declaration is, and how a table is read by declarations
problems   what is wrong, and on which line
values     one text -> one value
secret_ids the id of a secret, and the forms that other tools give it
"""
