"""The steps that lead a new school to its first opening."""

from typing import NamedTuple

from quart import url_for

from quart_enroll.i18n.language import Sentence
from quart_enroll.services.staff import people
from quart_enroll.state import catalog, database, now


class Step(NamedTuple):
    """A step, and the URL of the page for it, if there is one."""

    label: Sentence
    purpose: Sentence
    is_done: bool
    url: str = ""


async def find_steps() -> list[Step]:
    """Return the steps in their order; none if all are done."""
    offered = await catalog()
    steps = [
        Step(
            Sentence("Term"),
            Sentence("Set the dates for enrolling, dropping and withdrawing."),
            bool(offered.terms),
            url_for("staff_term_new"),
        ),
        Step(
            Sentence("Courses"),
            Sentence("Add the courses that the school offers."),
            bool(offered.courses),
            url_for("staff_courses"),
        ),
        Step(
            Sentence("Sections"),
            Sentence("Add the sections of the term, with their times and seats."),
            bool(offered.sections),
            url_for("staff_sections"),
        ),
        Step(
            Sentence("People"),
            Sentence("Add the students. Then give staff their roles."),
            await people.has_students(database()),
            url_for("staff_people"),
        ),
        Step(
            Sentence("Rehearsal"),
            Sentence(
                "Before enrollment opens, rehearse the opening with simulated students. Your operator can run "
                "“rehearse”."
            ),
            any(term.opens_at <= now() for term in offered.terms),
        ),
    ]
    return [] if all(step.is_done for step in steps) else steps
