"""Requests to remove an account: the list, and the pages on which the registrar decides about one."""

from quart import Response, abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import LastRegistrar, RemovalDecided
from quart_enroll.forms.staff.removals import DeclineForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.paging import page_of, page_url, requested_page
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.listing import ROWS_PER_PAGE, Column, Listing, export, requested_format
from quart_enroll.pages.staff.sections import in_batches
from quart_enroll.services.staff import removals as service
from quart_enroll.services.staff.removals import PendingRemoval
from quart_enroll.state import database, enrollment_context, now, user_cache
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

MENU_ENTRY = "staff_removals"

LISTING: Listing[PendingRemoval] = Listing(
    "removals",
    [
        Column(
            "name",
            Sentence("Name"),
            lambda row: row.user.full_name or row.user.email,
            url=lambda row: url_for("staff_removal", user_id=row.user.user_id),
        ),
        Column("user_id", Sentence("ID"), lambda row: str(row.user.user_id)),
        Column("email", Sentence("Email"), lambda row: row.user.email),
        Column("asked_at", Sentence("Requested"), lambda row: row.asked_at),
    ],
)


async def removals() -> RenderedPage | Response:
    rows = await service.find_all(database())
    if requested_format():
        return await export(LISTING, in_batches(rows))
    page = page_of(rows, requested_page(len(rows), ROWS_PER_PAGE), ROWS_PER_PAGE)
    return render_staff("staff/removals.html", MENU_ENTRY, listing=LISTING, page=page, page_url=page_url)


async def removal(user_id: int) -> ResponseReturnValue:
    if request.method != "POST":
        found = await service.find(database(), user_id) or abort(404)
        ended = await service.preview(database(), user_id, now())
        return render_staff("staff/removal.html", MENU_ENTRY, found=found, ended=ended)
    try:
        await service.grant(enrollment_context(), auth.signed_in().user_id, user_id, now())
    except LastRegistrar:
        return await _to_list(gettext("This is the only registrar. Make someone else a registrar first."), "warning")
    except RemovalDecided as refusal:
        return await _to_list(refusal.text, refusal.severity)
    user_cache().invalidate(user_id)
    return await _to_list(gettext("The account has been removed. Its owner will get an email."), "success")


async def decline(user_id: int) -> ResponseReturnValue:
    form = await DeclineForm.from_request()
    if request.method == "POST" and form.validate():
        try:
            await service.decline(database(), auth.signed_in().user_id, user_id, form.reason.data or "", now())
        except RemovalDecided as refusal:
            return await _to_list(refusal.text, refusal.severity)
        user_cache().invalidate(user_id)
        return await _to_list(
            gettext("The request has been declined. The account’s owner will see your reason."), "success"
        )
    found = await service.find(database(), user_id) or abort(404)
    page = render_staff("staff/removal_decline.html", MENU_ENTRY, found=found, form=form)
    return (page, 422) if form.errors else page


async def _to_list(sentence: str, severity: str) -> ResponseReturnValue:
    await flash(sentence, severity)
    return redirect(url_for("staff_removals"), 303)
