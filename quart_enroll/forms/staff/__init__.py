"""Forms of the pages for staff."""
