"""Imports of files from their bytes to their rows in the database: the same for commands and for pages.

Commands import at once. Imports that pages begin are done in the background of some process, by `runner`.
"""
