"""One module for each collection: its indexes, its schema, and the queries on it alone.

Each docstring begins with the collection's name. Queries on several collections belong in db/queries/.
"""
