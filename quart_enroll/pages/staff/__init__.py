"""Pages for people who work for the school, below /staff.

Which roles a page admits is in `routes/staff_pages.py`; whose records they reach is decided in `domain/permissions.py`.
Their lists share one mechanism, in `listing`.
"""
