"""Pages of lists of people."""

from functools import partial

from quart_enroll.domain.models import PeopleFilter, User
from quart_enroll.domain.student_attributes import ATTRIBUTE_NAMES, NO_ATTRIBUTES, values_text
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.paging import Page, last_page, requested_page
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column
from quart_enroll.services.staff import people
from quart_enroll.state import database


async def people_page(wanted: PeopleFilter, size: int = ROWS_PER_PAGE) -> Page[User]:
    """Return the requested page of these people."""
    matches = await people.match(database(), wanted)
    number = requested_page(matches.total, size)
    found = await people.find_page(database(), wanted, matches, skip=(number - 1) * size, limit=size)
    return Page(found, number, last_page(matches.total, size), matches.total, is_cut=matches.is_cut)


def attribute_columns() -> list[Column[User]]:
    """Return the columns of files with the attributes of students."""
    return [
        Column(name, label, partial(_attribute, name), only_in_files=True) for name, label in ATTRIBUTE_NAMES.items()
    ]


def _attribute(name: str, user: User) -> str | Sentence:
    if name == "status":
        return user.attributes.status.label if user.attributes != NO_ATTRIBUTES else ""
    return values_text(getattr(user.attributes, name))
