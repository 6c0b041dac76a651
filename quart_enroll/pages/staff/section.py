"""A section: what it is, and the forms that edit, copy, add and cancel it."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from quart import abort, flash, redirect, request
from quart.typing import ResponseReturnValue
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain import permissions
from quart_enroll.domain.errors import (
    SectionEditConflict,
    SectionExists,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
    WrongFields,
)
from quart_enroll.domain.models import Course, Section, SectionKey, SectionStatus, Term
from quart_enroll.forms.staff.rows import FieldDifference
from quart_enroll.forms.staff.sections import NewSectionForm, SectionForm
from quart_enroll.i18n.language import TermName, gettext
from quart_enroll.pages.staff import effects
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.sections import section_url
from quart_enroll.services.staff import sections as service
from quart_enroll.state import catalog, database, enrollment_context, now
from quart_enroll.web import access_log, auth
from quart_enroll.web.compression import RenderedPage

HERE = "staff_sections"


@dataclass(frozen=True, slots=True)
class OpenedSection:
    """The section that the URL names, and whether the person may change it."""

    term: Term
    course: Course
    section: Section
    can_change: bool


async def open_section() -> OpenedSection:
    """Return the section that the URL names; abort with 404 if it is outside the person's scope."""
    names = [request.args.get(name, "") for name in ("term", "courseID", "section")]
    try:
        term, course, section = await service.find(database(), SectionKey(*names))
    except (UnknownTerm, UnknownCourse, UnknownSection):
        abort(404)
    staff = auth.signed_in()
    if not permissions.can_read_section(staff, course.subject, section.instructors):
        abort(404)
    can_change = permissions.can_change_section(staff, course.subject)
    return OpenedSection(term, course, section, can_change and section.status is not SectionStatus.CANCELLED)


async def section() -> ResponseReturnValue:
    opened = await open_section()
    key = opened.section.key
    emails = await service.find_emails(database(), opened.section.instructors)
    values = SectionForm.values_of(opened.section, emails)
    cells = {"term": key.term, "courseID": key.courseID, "section": key.section}
    form = await SectionForm.from_request(fixed_cells=cells, **values)
    if request.method != "POST":
        return _page(opened, form)
    if not opened.can_change:
        abort(404)
    if not form.validate():
        return _page(opened, form), 422
    try:
        return await _save(opened, form)
    except WrongFields as refusal:
        form.show(dict(refusal.fields))
        return _page(opened, form), 422
    except SectionEditConflict as refusal:
        access_log.note(code=refusal.code)
        mine = await _read(form, opened.section.instructors)
        return _page(opened, form, _differences(form, mine, refusal.current)), refusal.status


async def new_section() -> ResponseReturnValue:
    form = await NewSectionForm.from_request(**await _copied_values())
    offered = await catalog()
    form.term.choices = [SelectChoice(term.term, str(TermName(term.term))) for term in reversed(offered.terms)]
    if request.method != "POST":
        return _new_page(form)
    if not form.validate():
        return _new_page(form), 422
    course = offered.find(form.courseID.data or "")
    if course is None:
        form.courseID.errors = [gettext("There is no course with this number.")]
        return _new_page(form), 422
    if not permissions.can_change_section(auth.signed_in(), course.subject):
        form.courseID.errors = [gettext("You can only add sections to courses of your subjects.")]
        return _new_page(form), 422
    try:
        wanted = replace(await _read(form), courseID=course.courseID)
        key = await service.create(enrollment_context(), auth.signed_in().user_id, wanted, now())
    except WrongFields as refusal:
        form.show(dict(refusal.fields))
    except SectionExists as refusal:
        form.show({"section": refusal.text})
    except UnknownTerm as refusal:
        form.show({"term": refusal.text})
    else:
        await flash(gettext("Section added."), "success")
        return redirect(section_url(key), 303)
    return _new_page(form), 422


async def _copied_values() -> dict[str, str]:
    """Return the values of the section that the URL names, for a copy; without one, none."""
    if "section" not in request.args:
        return {name: request.args[name] for name in ("term", "courseID") if name in request.args}
    opened = await open_section()
    emails = await service.find_emails(database(), opened.section.instructors)
    values = SectionForm.values_of(opened.section, emails) | {"status": str(SectionStatus.ACTIVE), "revision": "0"}
    return values | {"term": opened.section.term, "courseID": opened.section.courseID}


async def _save(opened: OpenedSection, form: SectionForm) -> ResponseReturnValue:
    """Save the section, if need be after a page that says what this does to people."""
    context, staff_id = enrollment_context(), auth.signed_in().user_id
    wanted = await _read(form, opened.section.instructors)
    if not form.confirmed.data:
        previewed = await service.edit(context, staff_id, wanted, now(), preview=True)
        if previewed.affects_people:
            lines = await effects.of_section(database(), previewed, is_preview=True)
            back = section_url(wanted.key)
            return render_staff("staff/section_effects.html", HERE, opened=opened, form=form, lines=lines, back=back)
    done = await service.edit(context, staff_id, wanted, now())
    if not done.changes:
        await flash(gettext("Nothing was changed."), "info")
    else:
        lines = await effects.of_section(database(), done, is_preview=False)
        await flash(" ".join([gettext("Section saved."), effects.as_text(lines)]).strip(), "success")
    return redirect(section_url(wanted.key), 303)


async def _read(form: SectionForm, present: Collection[int] = ()) -> Section:
    """Return the section that a valid form describes; raise WrongFields for instructors who don't work here.

    Those that are `present` may stay.
    """
    section: Section = form.row.read()
    instructors = await service.find_instructors(database(), form.row.read_instructors(), present)
    return replace(section, instructors=instructors, revision=form.seen_revision)


def _differences(form: SectionForm, mine: Section, current: Section) -> list[FieldDifference]:
    """Return the fields in which the editor's section differs from the stored one, and let the form replace that."""
    form.revision.data = str(current.revision)
    form.confirmed.data = ""
    return [
        FieldDifference(form[one.field].label.text, effects.value_text(one.old), effects.value_text(one.new))
        for one in service.differences(mine, current)
    ]


def _page(opened: OpenedSection, form: SectionForm, differences: list[FieldDifference] | None = None) -> RenderedPage:
    section = opened.section
    facts = [(form[name].label.text, effects.value_text(getattr(section, name))) for name in SHOWN_FACTS]
    return render_staff(
        "staff/section.html", HERE, opened=opened, section=section, form=form, facts=facts, differences=differences
    )


SHOWN_FACTS = ("capacity", "waitlist_capacity", "meetings", "room", "instructor", "status")
"""What a person who can't change the section sees of it."""


def _new_page(form: NewSectionForm) -> RenderedPage:
    return render_staff("staff/section_new.html", HERE, form=form)
