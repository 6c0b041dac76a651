"""Files to import: reading them as tables, matching their columns, checking each row with the form of its collection.

What is stored of a file belongs in services.catalog.
"""
