"""Use cases, one package for each area: they apply the rules of `domain` and call `db`.

No HTTP, HTML or command-line code belongs here.
"""
