"""Requests for consent: those of a section on the page of its permits, and how many there are on the first page."""

from collections.abc import Sequence
from typing import NamedTuple

from quart import abort, flash, redirect
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions
from quart_enroll.domain.errors import Refused
from quart_enroll.domain.models import Section, SectionStatus
from quart_enroll.domain.permits import RecordedPermit
from quart_enroll.forms.consent import GIVE, ConsentDecisionForm
from quart_enroll.i18n.language import gettext, ngettext
from quart_enroll.pages.form_views import flash_refusal
from quart_enroll.pages.staff.section import OpenedSection, open_section
from quart_enroll.pages.staff.sections import section_url
from quart_enroll.services.staff import consent as service
from quart_enroll.services.staff.named_records import NamedRecord
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth


class RequestedSection(NamedTuple):
    """A section with open requests for consent: its title, the URL of its page, and how many there are."""

    title: str
    section: Section
    url: str
    requests: int


def may_consent(opened: OpenedSection) -> bool:
    """Return whether the signed-in person may give consent to enroll in the section."""
    return permissions.can_consent(auth.signed_in(), opened.course.subject, opened.section)


async def find_requests(opened: OpenedSection) -> Sequence[NamedRecord[RecordedPermit]]:
    """Return the requests for the section that the signed-in person may decide, the earliest first."""
    if not may_consent(opened) or now() >= opened.term.add_deadline or not opened.section.is_listed:
        return []
    return await service.find_requests(database(), opened.section.key)


async def find_requested_sections() -> list[RequestedSection]:
    """Return the sections whose open requests are for the signed-in person to decide."""
    staff, offered = auth.signed_in(), await catalog()
    terms = {term.term for term in offered.terms if now() < term.add_deadline}
    titles = {
        section.key: (course.title, section)
        for section in offered.sections
        if section.needs_consent and section.term in terms and section.status is not SectionStatus.CANCELLED
        if (course := offered.find(section.courseID))
        if permissions.decides_requests(staff, course.subject, section)
    }
    found = await service.count_requests(database(), titles.keys())
    return [
        RequestedSection(title, section, section_url(key, "staff_permits"), found[key])
        for key, (title, section) in titles.items()
        if key in found
    ]


async def decide() -> ResponseReturnValue:
    opened = await open_section()
    if not may_consent(opened):
        abort(404)
    staff, key = auth.signed_in(), opened.section.key
    form, back = await ConsentDecisionForm.from_request(), section_url(key, "staff_permits")
    if not form.validate():
        await flash(" ".join(str(error) for errors in form.errors.values() for error in errors), "warning")
        return redirect(back, 303)
    approve, chosen = form.decision.data == GIVE, form.requests.data or []
    try:
        students = await service.decide(
            enrollment_context(), staff, key, chosen, form.answer.data or "", now(), approve=approve
        )
    except Refused as refusal:
        return await flash_refusal(refusal, back)
    for user_id in students:
        user_cache().invalidate(user_id)
    await flash(_outcome(len(students), approve=approve), "success" if students else "info")
    return redirect(back, 303)


def _outcome(number: int, *, approve: bool) -> str:
    if not number:
        return gettext("These requests have already been decided or withdrawn. No changes were made.")
    if approve:
        return ngettext(
            "Consent given to %(number)s student. The student will be notified and must still enroll.",
            "Consent given to %(number)s students. They’ll be notified and must still enroll.",
            number,
        )
    return ngettext(
        "%(number)s request declined. The student will be notified.",
        "%(number)s requests declined. The students will be notified.",
        number,
    )
