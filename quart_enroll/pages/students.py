"""The registrar's list of students, looked through."""

import asyncio

from quart import flash, request

from quart_enroll.forms.search import StudentForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.paging import Page, address, last_page, wanted
from quart_enroll.services.accounts import students
from quart_enroll.state import database
from quart_enroll.web.templating import is_overridden, render

PAGE = 50
"""Students on a page."""

MAX_ON_A_PAGE = 5000
"""Students on the single page of a school's own template; rendering it takes some 10 MB."""


async def user() -> bytes:
    form = StudentForm.from_address(request.args)
    total, first = await asyncio.gather(  # each of them looks at every student
        students.count(database(), form.words), students.find(database(), form.words, max_students=PAGE)
    )
    size = PAGE
    if is_overridden("user.html"):  # a school's own template has no paging
        size = min(total, MAX_ON_A_PAGE)
        if size < total:
            shown = gettext("Showing %(number)s of %(total)s students.", number=size, total=total)
            await flash(shown, "warning")
    number = wanted(total, size)
    found = first
    if (number, size) != (1, PAGE):
        found = await students.find(database(), form.words, skip=(number - 1) * size, max_students=size)
    page = Page(found, number, last_page(total, size), total)
    return render("user.html", user=True, users=found, form=form, page=page, address=address)
