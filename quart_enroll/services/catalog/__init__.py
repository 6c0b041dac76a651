"""The catalog in memory, and imports of courses, terms, sections and users from files.

Searching and describing the catalog needs no database and belongs in domain/; reading files belongs in forms/.
"""
