"""A school's own templates, written for a Flask site: the names they may use, and pages that survive unknown ones.

Everything that only such templates need belongs here; the site's own templates do without it.
"""
