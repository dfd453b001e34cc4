"""The part of the Common Expression Language (CEL) that specs may use.

    program: text → tokens → parse → tree → check → evaluate → value
                                     types  hints   reading  operators  functions

`program.compile` finds every fault that the text alone can have: syntax, names, types, numbers of
arguments. `Program.evaluate` reads values only when it needs them, and stays within `limits`,
whatever the text and the data are. Nothing here knows about workflows: what can be read is given
as `types`. docs/expressions.md describes the language, and what of CEL is left out.
"""
