"""Retry requests that were answered with "one moment, please": pages reload, and changes get a button.

Every change is safe to repeat, so the page of a 503 or a 429 shows the same button again. With JavaScript it is pressed
automatically after a while.
"""

import random
from dataclasses import dataclass

from quart import request
from werkzeug.exceptions import HTTPException

from quart_enroll.domain.models import SectionRequest
from quart_enroll.state import cached_catalog
from quart_enroll.web.csrf import comes_from_this_site, has_valid_token
from quart_enroll.web.page_of_origin import with_page_term
from quart_enroll.web.request import current_request

REPEATED_FIELDS = ("courseID", "term", "section", "drop", "add", "drop_if_enrolled", "with_corequisites")
"""The fields of buttons for seats, waitlists, plans and alerts. Nothing else is repeated: it may be a password."""

MAX_AUTOMATIC_REPEATS = 20
"""How often a change is repeated automatically; after that, the user has to press the button."""

COUNT_FIELD = "again"
"""The field that counts the repeats."""


@dataclass(frozen=True, slots=True)
class RepeatButton:
    """The button of the request, which is sent to `path` again, automatically if `is_automatic`."""

    path: str
    fields: list[tuple[str, str]]
    is_automatic: bool


async def repeat_button() -> RepeatButton | None:
    """Return the button that sent this request, or None if a page can't show it.

    Only for requests from this site: otherwise another site could make our own page send its request.
    """
    if request.method != "POST":
        return None
    try:
        form = await current_request().button_fields()
        fields = {name: form[name] for name in REPEATED_FIELDS if name in form}
        if not fields or not (comes_from_this_site() or await has_valid_token()):
            return None
    except HTTPException:  # the body is too large, or did not arrive in time
        return None
    if term := with_page_term(
        SectionRequest(fields.get("courseID", ""), fields.get("term", "")), cached_catalog()
    ).term:
        fields["term"] = term  # the page that repeats the button isn't a term's page
    repeats = form.get(COUNT_FIELD, 0, type=int) + 1
    return RepeatButton(request.path, [*fields.items(), (COUNT_FIELD, str(repeats))], repeats <= MAX_AUTOMATIC_REPEATS)


def jitter(seconds: int) -> int:
    """Return a random time of up to twice the seconds, so that a crowd does not come back all at once."""
    return random.randint(seconds, 2 * seconds)  # noqa: S311  # no secret
