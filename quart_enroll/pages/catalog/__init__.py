"""Pages for browsing: the catalog, a course, and what a visitor can do about each section.

The views behind those buttons belong in pages.enrollment.
"""
