"""What every request and response passes through: authentication, CSRF, headers, locale, templates, errors, logging.

Nothing here knows a particular page, or decides who gets a seat; facts about single URLs belong in `routes`.
"""
