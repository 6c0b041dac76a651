"""The registrar's list of students, with a search."""

import asyncio

from quart import flash, request

from quart_enroll.forms.search import StudentForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.paging import Page, last_page, page_url, requested_page
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.accounts import students
from quart_enroll.state import database
from quart_enroll.web.templating import is_overridden

STUDENTS_PER_PAGE = 50

MAX_STUDENTS_ON_ONE_PAGE = 5000
"""Students on the only page of a school's own template; rendering it takes about 10 MB."""


async def user() -> bytes:
    form = StudentForm.from_query(request.args)
    total, first = await asyncio.gather(  # each query scans all students
        students.count(database(), form.words), students.find(database(), form.words, max_students=STUDENTS_PER_PAGE)
    )
    size = STUDENTS_PER_PAGE
    if is_overridden("user.html"):  # a school's own template has no paging
        size = min(total, MAX_STUDENTS_ON_ONE_PAGE)
        if size < total:
            shown = gettext("Showing %(number)s of %(total)s students.", number=size, total=total)
            await flash(shown, "warning")
    number = requested_page(total, size)
    found = first
    if (number, size) != (1, STUDENTS_PER_PAGE):
        found = await students.find(database(), form.words, skip=(number - 1) * size, max_students=size)
    page = Page(found, number, last_page(total, size), total)
    return render_staff("user.html", "staff_students", user=True, users=found, form=form, page=page, page_url=page_url)
