"""A school's own templates, written for a Flask site: the names they may use, and pages without unknown ones."""
