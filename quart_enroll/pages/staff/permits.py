"""Permits: those of a section, with the form that grants one; one for a student's record; and revoking."""

from datetime import datetime

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions, permits
from quart_enroll.domain.actors import Override
from quart_enroll.domain.errors import (
    AccountGone,
    OwnPermit,
    Refused,
    RegistrarsPermit,
    UnknownCourse,
    UnknownSection,
    UnknownTerm,
)
from quart_enroll.domain.models import SectionKey, SectionStatus
from quart_enroll.domain.permits import Permit, PermitStatus, RecordedPermit
from quart_enroll.domain.roles import Role
from quart_enroll.forms.consent import ConsentDecisionForm
from quart_enroll.forms.staff.permits import OverridesUntilForm, RevokePermitForm, SectionPermitForm, StudentPermitForm
from quart_enroll.i18n.language import Sentence, format_list_of, gettext, ngettext
from quart_enroll.pages.staff.consent import find_requests, may_consent
from quart_enroll.pages.staff.effects import section_name
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import Column, Listing, export, requested_format
from quart_enroll.pages.staff.roster import open_roster
from quart_enroll.pages.staff.section import HERE, OpenedSection
from quart_enroll.pages.staff.sections import in_batches, section_url
from quart_enroll.services.staff import access, named_entries, named_records, sections
from quart_enroll.services.staff import permits as service
from quart_enroll.services.staff.named_records import NamedRecord
from quart_enroll.services.staff.permits import Granted
from quart_enroll.state import catalog, database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.records import open_record
from quart_enroll.web.request import current_request


def in_scope(opened: OpenedSection) -> bool:
    """Return whether the signed-in person may grant permits for the section as long as it isn't over or canceled."""
    return permissions.can_grant_permits(auth.signed_in(), opened.course.subject, opened.section.instructors)


def may_grant(opened: OpenedSection) -> bool:
    """Return whether the signed-in person may grant permits for the section, which isn't over or canceled."""
    is_open = opened.section.status is not SectionStatus.CANCELLED and now() < opened.term.withdraw_deadline
    return is_open and in_scope(opened)


def overrides_text(record: RecordedPermit) -> str:
    """Return what the permit allows in the words of staff."""
    return format_list_of([str(one) for one in permits.describe(record.permit.overrides)])


def revoke_url(record: RecordedPermit) -> str:
    """Return the URL of the page that revokes the permit."""
    return url_for("staff_permit_revoke", permit=record.permit.permit_id)


def _listing(key: SectionKey, moment: datetime, *, can_grant: bool) -> Listing[NamedRecord[RecordedPermit]]:
    def url(row: NamedRecord[RecordedPermit]) -> str:
        return revoke_url(row.record) if can_revoke(row) else ""

    def can_revoke(row: NamedRecord[RecordedPermit]) -> bool:
        is_allowed = can_grant and permissions.can_revoke(auth.signed_in(), row.record)
        return is_allowed and bool(row.record.permit.section) and row.record.is_usable(moment)

    return Listing(
        f"permits-{section_name(key)}",
        [
            Column("student", Sentence("Student"), lambda row: row.student_name_or_id),
            Column("user_id", Sentence("ID"), lambda row: str(row.record.user_id)),
            Column("for", Sentence("For"), lambda row: row.record.permit.section or Sentence("All sections")),
            Column("overrides", Sentence("What it allows"), lambda row: overrides_text(row.record)),
            Column("state", Sentence("State"), lambda row: row.record.state(moment)),
            Column("until", Sentence("Until"), lambda row: row.record.permit.expires_at, is_end=True),
            Column("reason", Sentence("Reason"), lambda row: row.record.reason),
            Column("author", Sentence("Granted by"), lambda row: row.author_name_or_id),
            Column("at", Sentence("Granted"), lambda row: row.record.at, only_in_files=True),
            Column(
                "revoke",
                Sentence("Action"),
                lambda row: Sentence("Revoke") if can_revoke(row) else "",
                url=url,
                only_on_pages=True,
            ),
        ],
    )


async def section_permits() -> ResponseReturnValue | RenderedPage | Response:
    opened = await open_roster()
    key, can_grant = opened.section.key, may_grant(opened)
    form = await SectionPermitForm.from_request()
    form.offer_overrides(permits.grantable(auth.signed_in().roles, consent=may_consent(opened)))
    if request.method == "POST":
        if not can_grant:
            abort(404)
        if form.validate() and (granted := await _grant_to_named(form, key)):
            await flash(_granted_text(granted, form.chosen_overrides), "success")
            return redirect(section_url(key, "staff_permits"), 303)
    listing = _listing(key, now(), can_grant=can_grant)
    found = await service.find_of_section(database(), key)
    decided = [one for one in found if one.status is not PermitStatus.REQUESTED]
    rows = await named_records.add_names(database(), decided)
    if requested_format():
        return await export(listing, in_batches(rows))
    facts = {"opened": opened, "section": opened.section, "form": form, "can_grant": can_grant}
    facts |= {"requests": await find_requests(opened), "decision": ConsentDecisionForm()}
    page = render_staff("staff/permits.html", HERE, **facts, listing=listing, rows=rows)
    return (page, 422) if form.errors else page


async def _grant_to_named(form: SectionPermitForm, key: SectionKey) -> Granted | None:
    """Grant the permit to the student whom the form names; return None, with an error in the form, if there is none."""
    user_id = await named_entries.find_person(database(), form.student.data or "")
    try:
        if user_id is not None:
            return await _grant(user_id, form, key)
    except OwnPermit as refusal:
        form.student.errors = [refusal.text]
        return None
    except AccountGone:
        pass
    form.student.errors = [gettext("No account has this email or ID.")]
    return None


async def grant(user_id: int) -> ResponseReturnValue:
    student, offered = await open_record(user_id), await catalog()
    form = await StudentPermitForm.from_request()
    form.offer_terms(offered.terms, offered.current_term(now()))
    has_consent = any(one.needs_consent for one in offered.sections)
    form.offer_overrides(permits.grantable(auth.signed_in().roles, consent=has_consent))
    if request.method == "POST" and form.validate():
        try:
            granted = await _grant(user_id, form, form.key)
        except AccountGone:
            abort(404)
        except (UnknownTerm, UnknownCourse) as refusal:
            form.courseID.errors = [refusal.text]
        except UnknownSection as refusal:
            form.section.errors = [refusal.text]
        except OwnPermit as refusal:
            await flash(refusal.text, "danger")
            return redirect(url_for("staff_student", user_id=user_id, _anchor="permits"), 303)
        else:
            await flash(_granted_text(granted, form.chosen_overrides), "success")
            return redirect(url_for("staff_student", user_id=user_id, _anchor="permits"), 303)
    page = render_staff("staff/permit_grant.html", "staff_students", student=student, form=form)
    return (page, 422) if form.errors else page


async def _grant(user_id: int, form: OverridesUntilForm, key: SectionKey) -> Granted:
    staff, permit = auth.signed_in(), form.permit(key)
    granted = await service.grant(enrollment_context(), staff, user_id, permit, form.reason.data or "", now())
    user_cache().invalidate(user_id)
    return granted


def _granted_text(granted: Granted, overrides: frozenset[Override]) -> str:
    text = gettext("Permit granted. The student will be notified and must still enroll.")
    if Override.FULL in overrides and granted.waiting:
        text += " " + ngettext(
            "%(number)s student is on the waitlist, which this permit bypasses.",
            "%(number)s students are on the waitlist, which this permit bypasses.",
            granted.waiting,
        )
    return text


async def revoke() -> ResponseReturnValue:
    found = await service.find(database(), request.args.get("permit", "")) or abort(404)
    if not await _is_in_scope(found.permit):
        abort(404)
    staff, back = auth.signed_in(), _back_url(found)
    if not permissions.can_revoke(staff, found):
        await flash(RegistrarsPermit().text, "danger")
        return redirect(back, 303)
    await access.record_student(database(), staff.user_id, found.user_id, current_request().route.endpoint, now())
    form = await RevokePermitForm.from_request()
    if request.method == "POST" and form.validate():
        permit_id, reason = found.permit.permit_id, form.reason.data or ""
        if await service.revoke(enrollment_context(), staff, permit_id, reason, now()):
            user_cache().invalidate(found.user_id)
            await flash(gettext("Permit revoked."), "success")
        else:
            await flash(gettext("This permit has already been used or revoked. Nothing was changed."), "info")
        return redirect(back, 303)
    [named] = await named_records.add_names(database(), [found])
    page = render_staff("staff/permit_revoke.html", HERE, form=form, named=named, back=back, what=overrides_text(found))
    return (page, 422) if form.errors else page


async def _is_in_scope(permit: Permit) -> bool:
    """Return whether the person may grant such permits; only registrars may grant one for a whole course."""
    staff = auth.signed_in()
    if Role.REGISTRAR in staff.roles:
        return True
    try:
        key = SectionKey(permit.term, permit.courseID, permit.section)
        _, course, section = await sections.find(database(), key)
    except Refused:
        return False
    return permissions.can_grant_permits(staff, course.subject, section.instructors)


def _back_url(record: RecordedPermit) -> str:
    permit = record.permit
    if permit.section:
        return section_url(SectionKey(permit.term, permit.courseID, permit.section), "staff_permits")
    return url_for("staff_student", user_id=record.user_id, _anchor="permits")
