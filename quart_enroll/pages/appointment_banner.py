"""The banner about a student's enrollment appointments, on the pages where the student prepares for them."""

from collections.abc import Iterable, Sequence

from markupsafe import Markup

from quart_enroll.domain import appointments
from quart_enroll.domain.models import Term
from quart_enroll.domain.student import StudentSnapshot
from quart_enroll.state import now
from quart_enroll.web.templating import render_shared

GAP = "appointment_banner"
"""The gap of the layout, and the variable of templates."""


def gaps(known: StudentSnapshot, terms: Iterable[Term]) -> dict[str, Sequence[bytes]]:
    """Return the gap with the banner; none for a student without an appointment that matters in these terms."""
    if not known.appointments:
        return {}
    moment = now()
    sentences = [
        str(appointments.describe(term, own, moment))
        for term in terms
        if (own := appointments.in_term(known.appointments, term)) and appointments.matter(term, own, moment)
    ]
    return (
        {GAP: [render_shared("macros/appointments.html", "banner", tuple(sentences), sentences)]} if sentences else {}
    )


def variables(known: StudentSnapshot, terms: Iterable[Term]) -> dict[str, Markup]:
    """Return the same as a variable of a school's own template."""
    found = gaps(known, terms)
    return {name: Markup(b"".join(parts).decode()) for name, parts in found.items()}  # noqa: S704  # our own
