"""Version 1 of the API for staff: what they can do on the pages below /staff, with the same roles and scopes.

What lies outside a person's scope is, to them, not there: 404.
"""
