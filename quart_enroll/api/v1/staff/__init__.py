"""Version 1 of the API for staff: what they can do on the pages below /staff, with the same roles and scopes.

Whatever lies outside a person's scope is not found (404).
"""
