"""How many credits a student has in a term, in words."""

from quart_enroll.i18n.language import gettext, plural


def summarize_credits(limit: float, enrolled: float, planned: float = 0) -> str:
    """Return these numbers of credits in words.

    Those of the enrolled courses may exceed the limit, because staff may have set it aside or lowered it.
    """
    is_within = round(enrolled + planned, 2) <= limit
    if not planned and is_within:
        return gettext("%(number)s of %(limit)s credits", number=enrolled, limit=limit)
    if not enrolled and is_within:
        return gettext("%(planned)s of %(limit)s credits planned", planned=planned, limit=limit)
    if not planned:
        total = plural("%(number)s credit", "%(number)s credits", enrolled)
    elif enrolled:
        total = plural(
            "%(number)s credit enrolled, %(planned)s planned",
            "%(number)s credits enrolled, %(planned)s planned",
            enrolled,
            planned=planned,
        )
    else:
        total = plural("%(number)s credit planned", "%(number)s credits planned", planned)
    return gettext("%(credits)s (limit %(limit)s)", credits=total, limit=limit)
