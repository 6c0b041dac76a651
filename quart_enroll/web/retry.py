"""Asking again for what was answered with "in a moment": who only looks comes by themselves, a button is pressed again.

Every change is safe to repeat, so the page of a 503 or a 429 has the same button again. With JavaScript it presses
itself after a while.
"""

import random
from dataclasses import dataclass

from quart import request
from werkzeug.exceptions import HTTPException

from quart_enroll.domain.models import SectionRequest
from quart_enroll.state import catalog_at_hand
from quart_enroll.web.csrf import comes_from_this_site, has_token
from quart_enroll.web.page_of_origin import meant

REPEATED = ("courseID", "term", "section", "drop", "add", "drop_if_enrolled", "with_corequisites")
"""What buttons of seats, lines, plans and alerts send. What else a form has, such as a password, no page repeats."""

BY_ITSELF = 20
"""How often a button presses itself at most; then there should be somebody who still wants that."""

COUNT = "again"
"""The field that counts it."""


@dataclass(frozen=True, slots=True)
class Press:
    """The same button again, at the address `path`; it may press itself when `by_itself` says so."""

    path: str
    fields: list[tuple[str, str]]
    by_itself: bool


async def pressed() -> Press | None:
    """Return the button that this request came from, or None where there is none that a page can hold.

    Only what came from this site itself: else a foreign page could let our own page send what it may not.
    """
    if request.method != "POST":
        return None
    try:
        form = await request.form
        fields = {name: form[name] for name in REPEATED if name in form}
        if not fields or not (comes_from_this_site() or await has_token()):
            return None
    except HTTPException:  # it is too large, or did not come in time
        return None
    if term := meant(SectionRequest(fields.get("courseID", ""), fields.get("term", "")), catalog_at_hand()).term:
        fields["term"] = term  # the page with the button again isn't a term's page
    times = form.get(COUNT, 0, type=int) + 1
    return Press(request.path, [*fields.items(), (COUNT, str(times))], times <= BY_ITSELF)


def later(seconds: int) -> int:
    """Return up to twice the seconds, so that a crowd that was sent away together does not come back together."""
    return random.randint(seconds, 2 * seconds)  # noqa: S311  # no secret
