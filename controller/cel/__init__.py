"""The part of the Common Expression Language (CEL) that specs may use.

    text ── tokens ── parse ── check ── evaluate ── Program
                               types     functions

`program.compile` finds every fault that the text alone can have: syntax, names, types, numbers of
arguments. `Program.evaluate` reads values only when it needs them, and stays within `limits`,
whatever the text and the data are. Nothing here knows about workflows: what can be read is given
as `types`. What of CEL is left out: `functions.LEFT_OUT`, and docs/expressions.md.
"""
