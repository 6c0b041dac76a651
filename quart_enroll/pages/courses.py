"""The catalog of a term."""

from datetime import datetime

from quart_enroll import auth
from quart_enroll.context import catalog, now
from quart_enroll.errors import Refused
from quart_enroll.models import Term
from quart_enroll.pages import choices, standing
from quart_enroll.rendering import render
from quart_enroll.services import rules, terms


async def courses(term: str | None = None) -> str:
    moment = now()
    offered = await catalog()
    coming = offered.coming(moment)
    chosen = terms.find(term, coming, moment) if term else offered.current_term(moment)
    if chosen is None:  # a school without terms
        return render("courses.html", courses=True, course_data=[], term="", terms=[], choices={})
    mine = await standing.in_term(auth.user(), chosen, offered)
    taught = offered.taught_in(chosen)
    return render(
        "courses.html",
        courses=True,
        course_data=taught,
        term=str(chosen),
        terms=[str(known) for known in coming],
        choices={
            course.courseID: choices.of_course(
                chosen, course, offered.sections_of(course.courseID, chosen), mine, moment
            )
            for course in taught
        },
        window=window(chosen, moment),
    )


def window(term: Term, moment: datetime) -> str:
    """Return why no seat can be taken now; nothing while one can."""
    try:
        rules.check_open(term, moment)
    except Refused as refusal:
        return refusal.sentence
    return ""
