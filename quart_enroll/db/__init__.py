"""Everything about MongoDB: the client, transactions, change streams, the schema, and all queries.

Rules, and anything that knows a request, belong in the layers above; models belong in domain/.
"""
