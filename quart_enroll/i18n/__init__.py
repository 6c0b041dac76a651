"""Languages: the current one, translations, and the formats of dates, numbers and lists.

The sentences themselves belong where they are used; which language a visitor reads is decided in web.
"""
