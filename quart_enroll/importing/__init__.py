"""Imports of files from their bytes to their rows in the database: the same for commands and for pages.

Commands import at once. What pages begin, a task in the background of some process does, in `runner`.
"""
