"""Version 1 of the API: the catalog, and everything that students can do in the browser.

URLs, field names and problem codes are a promise to other programs: they may be added, but never changed.
"""
