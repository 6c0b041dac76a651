"""Forms check the shape of input: required fields, lengths, characters, formats.

Checks that need the database or the clock's deadlines belong in services.
"""
