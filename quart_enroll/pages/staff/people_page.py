"""Pages of lists of people."""

from quart_enroll.domain.models import PeopleFilter, User
from quart_enroll.pages.paging import Page, last_page, requested_page
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE
from quart_enroll.services.staff import people
from quart_enroll.state import database


async def people_page(wanted: PeopleFilter, size: int = ROWS_PER_PAGE) -> Page[User]:
    """Return the requested page of these people."""
    matches = await people.match(database(), wanted)
    number = requested_page(matches.total, size)
    found = await people.find_page(database(), wanted, matches, skip=(number - 1) * size, limit=size)
    return Page(found, number, last_page(matches.total, size), matches.total, is_cut=matches.is_cut)
