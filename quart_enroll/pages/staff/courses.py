"""The courses: the list, and the forms that add and edit one."""

from collections.abc import Mapping, Sequence
from functools import partial

from quart import Response, abort, request, url_for
from quart.typing import ResponseReturnValue
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain.folding import fold
from quart_enroll.domain.models import Course
from quart_enroll.domain.roles import Role
from quart_enroll.forms.staff.catalog import YES_OR_NO, CourseForm, CourseListForm, NewCourseForm
from quart_enroll.forms.staff.rows import FieldDifference
from quart_enroll.i18n.language import Sentence, TermName, gettext
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff.catalog_forms import save
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, export, requested_format
from quart_enroll.pages.staff.sections import in_batches, sort_rows
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.services.staff import catalog_edits
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

HERE = "staff_courses"

LISTING: Listing[Course] = Listing(
    "courses",
    [
        Column(
            "courseID",
            Sentence("Number"),
            lambda course: course.courseID,
            url=lambda course: url_for("staff_course", courseID=course.courseID),
            is_sortable=True,
        ),
        Column("title", Sentence("Title"), lambda course: course.title, is_sortable=True),
        Column("subject", Sentence("Subject"), lambda course: course.subject, is_sortable=True),
        Column("credits", Sentence("Credits"), lambda course: course.credits, is_sortable=True),
        Column("seasons", Sentence("Offered in"), lambda course: str(TermName(course.term)), only_on_pages=True),
        Column("term", Sentence("Offered in"), lambda course: course.term, only_in_files=True),
        Column("prerequisites", Sentence("Prerequisites"), lambda course: " ".join(course.prerequisites)),
        Column("corequisites", Sentence("Corequisites"), lambda course: " ".join(course.corequisites)),
        Column(
            "requisite",
            Sentence("Prerequisites with alternatives"),
            lambda course: course.requisite,
            only_in_files=True,
        ),
        Column(
            "equivalents",
            Sentence("Equivalent courses"),
            lambda course: " ".join(course.equivalents),
            only_in_files=True,
        ),
        Column("restriction", Sentence("Restrictions"), lambda course: course.restriction, only_in_files=True),
        Column(
            "max_attempts",
            Sentence("Maximum number of attempts"),
            lambda course: course.max_attempts or "",
            only_in_files=True,
        ),
        Column(
            "withdrawals_count",
            Sentence("Withdrawals count as attempts"),
            lambda course: YES_OR_NO[course.withdrawals_count] if course.max_attempts else "",
            only_in_files=True,
        ),
        Column(
            "repeat_action",
            Sentence("When the maximum is reached"),
            lambda course: course.repeat_action if course.max_attempts else "",
            only_in_files=True,
        ),
        Column("description", Sentence("Description"), lambda course: course.description, only_in_files=True),
    ],
)


async def courses() -> RenderedPage | Response:
    form = CourseListForm(request.args)
    found = await catalog_edits.find_courses(database())
    subjects = sorted({course.subject for course in found} - {""})
    form.subject.choices = [SelectChoice("", gettext("Any")), *(SelectChoice(one, one) for one in subjects)]
    rows = sort_rows(LISTING, [course for course in found if _is_wanted(course, form)])
    if requested_format():
        return await export(LISTING, in_batches(rows))
    page = page_of(rows, requested_page(len(rows), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff(
        "staff/courses.html",
        HERE,
        form=form,
        listing=LISTING,
        page=page,
        page_url=page_url,
        can_change=_can_change(),
    )


async def course() -> ResponseReturnValue:
    opened = await catalog_edits.find_course(database(), request.args.get("courseID", ""))
    if opened is None:
        abort(404)
    form = await CourseForm.from_request(fixed_cells={"courseID": opened.courseID}, **_values(opened))
    copy_url = url_for("staff_course_new", courseID=opened.courseID) if _can_change() else ""
    page = partial(_page, form, opened.name, can_change=_can_change(), copy_url=copy_url)
    if request.method != "POST":
        return page()
    if not form.validate():
        return page(), 422

    async def save_row(preview: bool) -> ImportResult:
        return await catalog_edits.edit_course(
            database(), auth.signed_in().user_id, form.row.course(), now(), seen=form.seen.data or "", preview=preview
        )

    async def reread() -> Mapping[str, str]:
        return _values(await catalog_edits.find_course(database(), opened.courseID) or opened)

    url = url_for("staff_course", courseID=opened.courseID)
    return await save(form, save_row, url, here=HERE, heading=opened.name, page=page, reread=reread)


async def new_course() -> ResponseReturnValue:
    copied = await catalog_edits.find_course(database(), request.args.get("courseID", ""))
    form = await NewCourseForm.from_request(**CourseForm.values_of(copied) if copied else {})
    page = partial(_page, form, gettext("Add a course"), can_change=True)
    if request.method != "POST":
        return page()
    form.confirmed.data = "y"  # no student waits for a section of a course that doesn't exist yet
    if not form.validate():
        return page(), 422

    async def save_row(_: bool) -> ImportResult:
        return await catalog_edits.add_course(database(), auth.signed_in().user_id, form.row.course(), now())

    url = url_for("staff_course", courseID=form.row.course().courseID)
    return await save(form, save_row, url, here=HERE, heading=gettext("Add a course"), page=page)


def _is_wanted(course: Course, form: CourseListForm) -> bool:
    text = fold(f"{course.courseID} {course.title} {course.description}")
    return form.subject.data in (None, "", course.subject) and all(
        word in text for word in fold(form.q.data or "").split()
    )


def _can_change() -> bool:
    return Role.REGISTRAR in auth.signed_in().roles


def _values(course: Course) -> dict[str, str]:
    return CourseForm.values_of(course) | {"seen": catalog_edits.fingerprint(course)}


def _page(
    form: CourseForm,
    heading: str,
    *,
    can_change: bool,
    copy_url: str = "",
    differences: Sequence[FieldDifference] = (),
) -> RenderedPage:
    return render_staff(
        "staff/course.html",
        HERE,
        form=form,
        heading=heading,
        can_change=can_change,
        copy_url=copy_url,
        differences=differences,
    )
