"""JSON for other programs: the Flask site's API, and version 1 of a newer one.

Views parse a request, call one service and serialize the result; rules and queries belong in lower layers.
"""
