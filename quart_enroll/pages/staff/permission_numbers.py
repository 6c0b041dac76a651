"""The permission numbers of a section: the list to print, with the form that creates more, and revoking."""

from collections.abc import Sequence
from datetime import datetime

from quart import Response, abort, flash, redirect, request
from quart.typing import ResponseReturnValue

from quart_enroll.domain import permissions, permits
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permission_numbers import NUMBER_OVERRIDES, UNUSED, NumberBatch, PermissionNumber, write_code
from quart_enroll.forms.staff.permits import PermissionNumbersForm, RevokeNumbersForm
from quart_enroll.i18n.language import Sentence, format_list_of, gettext, ngettext
from quart_enroll.pages.staff.consent import may_consent
from quart_enroll.pages.staff.effects import section_name
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import Column, Listing, export, requested_format
from quart_enroll.pages.staff.permits import in_scope, may_grant
from quart_enroll.pages.staff.roster import open_roster
from quart_enroll.pages.staff.section import HERE
from quart_enroll.pages.staff.sections import in_batches, section_url
from quart_enroll.services.staff import permission_numbers as service
from quart_enroll.services.staff.named_records import NamedRecord
from quart_enroll.state import database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


def _listing(key: SectionKey, moment: datetime) -> Listing[NamedRecord[PermissionNumber]]:
    return Listing(
        f"permission-numbers-{section_name(key)}",
        [
            Column("code", Sentence("Permission number"), lambda row: write_code(row.record.code)),
            Column(
                "overrides",
                Sentence("What it allows"),
                lambda row: format_list_of([str(one) for one in permits.describe(row.record.overrides)]),
            ),
            Column("until", Sentence("Until"), lambda row: row.record.expires_at, is_end=True),
            Column("state", Sentence("State"), lambda row: row.record.state(moment)),
            Column("student", Sentence("Student"), lambda row: row.student_name_or_id),
            Column("used_at", Sentence("Used on"), lambda row: row.record.used_at, only_in_files=True),
            Column("reason", Sentence("Reason"), lambda row: row.record.reason),
            Column("author", Sentence("Created by"), lambda row: row.author_name_or_id, only_in_files=True),
            Column("at", Sentence("Created"), lambda row: row.record.at, only_in_files=True),
        ],
    )


async def numbers() -> ResponseReturnValue | RenderedPage | Response:
    opened = await open_roster(in_scope)  # fewer people may see the codes than the roster
    key, can_create = opened.section.key, may_grant(opened)
    form = await PermissionNumbersForm.from_request()
    form.offer_overrides([one for one in NUMBER_OVERRIDES if one is not Override.CONSENT or may_consent(opened)])
    if request.method == "POST":
        if not can_create:
            abort(404)
        if form.validate():
            return await _create(form, key)
    rows, listing = await service.find_of_section(database(), key), _listing(key, now())
    if requested_format():
        return await export(listing, in_batches(rows))
    can_revoke = can_create and bool(_revocable(rows))
    facts = {"opened": opened, "section": opened.section, "form": form, "can_create": can_create}
    page = render_staff("staff/numbers.html", HERE, **facts, can_revoke=can_revoke, listing=listing, rows=rows)
    return (page, 422) if form.errors else page


async def _create(form: PermissionNumbersForm, key: SectionKey) -> ResponseReturnValue:
    number, expires_at = int(form.number.data or 0), form.ends_on.end or abort(422)
    batch = NumberBatch(key, number, tuple(sorted(form.chosen_overrides)), expires_at, form.reason.data or "")
    if await service.create(enrollment_context(), auth.signed_in(), batch, form.button.data or "", now()):
        done = ngettext("%(number)s permission number created.", "%(number)s permission numbers created.", number)
        await flash(done, "success")
    else:
        await flash(gettext("These permission numbers were already created."), "info")
    return redirect(section_url(key, "staff_numbers"), 303)


async def revoke() -> ResponseReturnValue:
    opened = await open_roster(in_scope)  # fewer people may see the codes than the roster
    key, form = opened.section.key, await RevokeNumbersForm.from_request()
    codes = _revocable(await service.find_of_section(database(), key))
    form.offer(codes)
    back = section_url(key, "staff_numbers")
    if request.method == "POST" and form.validate():
        chosen, reason = form.codes(codes), form.reason.data or ""
        number = await service.revoke(enrollment_context(), auth.signed_in(), key, chosen, reason, now())
        done = ngettext("%(number)s permission number revoked.", "%(number)s permission numbers revoked.", number)
        await flash(done if number else gettext("Nothing was changed."), "success" if number else "info")
        return redirect(back, 303)
    page = render_staff("staff/numbers_revoke.html", HERE, opened=opened, section=opened.section, form=form, back=back)
    return (page, 422) if form.errors else page


def _revocable(rows: Sequence[NamedRecord[PermissionNumber]]) -> list[str]:
    """Return the codes of the unused numbers that the person may revoke."""
    staff, moment = auth.signed_in(), now()
    found = [one.record for one in rows if one.record.state(moment) is UNUSED]
    return [one.code for one in found if permissions.can_revoke(staff, one)]
