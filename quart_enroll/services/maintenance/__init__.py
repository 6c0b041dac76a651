"""Use cases of operators: upgrades, audits and repairs of the database, and the demo school.

They run from commands or when the site starts; what a request needs does not belong here.
"""
