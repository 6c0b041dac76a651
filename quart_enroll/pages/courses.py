"""The catalog of a term."""

from quart_enroll import auth
from quart_enroll.context import database, now
from quart_enroll.rendering import render
from quart_enroll.repositories import enrollments
from quart_enroll.services import catalog, terms


async def courses(term: str | None = None) -> str:
    offered = await catalog.load(database(), now().date())
    chosen = terms.find(term, offered.terms) if term else offered.current_term
    user = auth.user()
    enrolled = await enrollments.courses_of(database(), user.user_id, str(chosen)) if user else frozenset()
    return render(
        "courses.html",
        courses=True,
        course_data=offered.taught_in(chosen),
        term=str(chosen),
        terms=[str(known) for known in offered.terms],
        enrolled=enrolled,
    )
