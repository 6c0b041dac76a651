"""The students in one's scope: a list with search, sort and files."""

from typing import cast
from urllib.parse import urlencode

from quart import Response, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions
from quart_enroll.domain.models import PeopleFilter, PeopleOrder, User
from quart_enroll.forms.staff.students import StudentListForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.paging import Page, page_url
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, Sort, export, requested_format
from quart_enroll.pages.staff.people_page import attribute_columns, people_page
from quart_enroll.services.staff import people as accounts
from quart_enroll.services.staff import students as service
from quart_enroll.state import database
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.templating import is_overridden

MAX_STUDENTS_ON_ONE_PAGE = 5000
"""Students on the only page of a school's own template; rendering it takes about 10 MB."""

OPTED_OUT = Sentence("Opted out")

LISTING: Listing[User] = Listing(
    "students",
    [
        Column(
            "name",
            Sentence("Name"),
            lambda student: student.name_for_staff or student.email,
            url=lambda student: url_for("staff_student", user_id=student.user_id),
            is_sortable=True,
        ),
        Column("user_id", Sentence("Student ID"), lambda student: str(student.user_id), is_sortable=True),
        Column("email", Sentence("Email"), lambda student: student.email, is_sortable=True),
        *attribute_columns(),
        Column("directory", Sentence("Directory"), lambda student: OPTED_OUT if student.directory_opt_out else ""),
    ],
    Sort("user_id"),
)


async def students() -> RenderedPage | Response:
    form = StudentListForm.from_query(request.args)
    if requested_format():
        wanted = _wanted(form, with_opted_out="opted_out" in request.args)
        return await export(LISTING, accounts.batches(database(), wanted))
    return _render("staff/students.html", form, await people_page(_wanted(form)))


async def user() -> ResponseReturnValue:
    """Show the same list under the path, and with the variables, of the Flask site."""
    if requested_format():
        return redirect(f"{url_for('staff_students')}?{urlencode([*request.args.items(multi=True)])}", 303)
    form, has_paging = StudentListForm.from_query(request.args), not is_overridden("user.html")
    page = await people_page(_wanted(form), ROWS_PER_PAGE if has_paging else MAX_STUDENTS_ON_ONE_PAGE)
    if not has_paging and (page.last > 1 or page.is_cut):
        await flash(
            gettext("Not all students are shown, only %(number)s. Search for the others.", number=len(page.items)),
            "warning",
        )
    return _render("user.html", form, page, user=True)


def _wanted(form: StudentListForm, *, with_opted_out: bool = True) -> PeopleFilter:
    sort = LISTING.sort
    order = cast(PeopleOrder, sort.key)
    return service.in_scope(
        auth.signed_in(), form.words, order=order, descending=sort.descending, with_opted_out=with_opted_out
    )


def _render(template: str, form: StudentListForm, page: Page[User], **variables: object) -> RenderedPage:
    return render_staff(
        template,
        "staff_students",
        form=form,
        listing=LISTING,
        page=page,
        page_url=page_url,
        users=page.items,
        can_act=permissions.can_act_for_some(auth.signed_in()),
        sees_holds=permissions.can_read_all_students(auth.signed_in()),
        **variables,
    )
