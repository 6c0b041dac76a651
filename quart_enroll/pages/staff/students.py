"""The students in one's scope: a list with search, sort and files."""

from quart import Response, request, url_for

from quart_enroll.domain.models import User
from quart_enroll.forms.staff.students import StudentListForm
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages.paging import Page, last_page, page_url, requested_page
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, Sort, export, requested_format
from quart_enroll.services.staff import students as service
from quart_enroll.state import database
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

OPTED_OUT = Sentence("Opted out")

LISTING: Listing[User] = Listing(
    "students",
    [
        Column(
            "last_name",
            Sentence("Name"),
            lambda student: student.full_name,
            url=lambda student: url_for("staff_student", user_id=student.user_id),
            is_sortable=True,
        ),
        Column("user_id", Sentence("Student ID"), lambda student: student.user_id, is_sortable=True),
        Column("email", Sentence("Email"), lambda student: student.email, is_sortable=True),
        Column("directory", Sentence("Directory"), lambda student: OPTED_OUT if student.directory_opt_out else ""),
    ],
    Sort("user_id"),
)


async def students() -> RenderedPage | Response:
    form, staff = StudentListForm(request.args), auth.signed_in()
    if requested_format():
        include = "opted_out" in request.args
        return await export(LISTING, service.batches(database(), staff, form.words, include_opted_out=include))
    total = await service.count(database(), staff, form.words)
    number = requested_page(total, ROWS_PER_PAGE)
    found = await service.find(
        database(),
        staff,
        form.words,
        sort=LISTING.sort.key,
        descending=LISTING.sort.descending,
        skip=(number - 1) * ROWS_PER_PAGE,
        max_students=ROWS_PER_PAGE,
    )
    page = Page(found, number, last_page(total, ROWS_PER_PAGE), total)
    return render_staff(
        "staff/students.html", "staff_students", form=form, listing=LISTING, page=page, page_url=page_url
    )
