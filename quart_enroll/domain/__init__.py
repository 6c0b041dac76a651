"""The school's vocabulary as pure code: models, rules, refusals, terms, the catalog, search.

No I/O, no clock, no framework: whatever reads or writes belongs in `services` and `db`.
"""
