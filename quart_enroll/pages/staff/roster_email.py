"""Emails the students of a section, after a preview."""

from quart import flash, redirect, request
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import PleaseWait
from quart_enroll.domain.models import User
from quart_enroll.forms.staff.roster import RosterEmailForm
from quart_enroll.i18n.language import gettext, plural
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.roster import may_manage, open_roster, roster_url
from quart_enroll.pages.staff.section import HERE, OpenedSection
from quart_enroll.services.staff import roster_email as service
from quart_enroll.state import database, now
from quart_enroll.web import access_log, auth
from quart_enroll.web.compression import RenderedPage


async def roster_email() -> ResponseReturnValue:
    opened = await open_roster(may_manage)
    form = await RosterEmailForm.from_request()
    if request.method != "POST":
        return _form_page(opened, form)
    if not form.validate():
        return _form_page(opened, form), 422
    if not form.confirmed.data:
        return await _preview_page(opened, form)
    if form.confirmed.data != "y":  # the button that leads back to the text
        return _form_page(opened, form)
    try:
        sent = await service.send(
            database(),
            auth.signed_in(),
            opened.course,
            form.email(opened.section.key),
            form.button.data or "",
            now(),
        )
    except PleaseWait as refusal:
        access_log.note(code=refusal.code)
        form.form_errors = [refusal.text]
        return _form_page(opened, form), refusal.status, {"Retry-After": str(refusal.retry_after)}
    await flash(
        str(plural("%(number)s student will get your email.", "%(number)s students will get your email.", sent)),
        "success",
    )
    return redirect(roster_url(opened.section.key), 303)


def _form_page(opened: OpenedSection, form: RosterEmailForm) -> RenderedPage:
    form.confirmed.data = ""
    return render_staff("staff/roster_email.html", HERE, opened=opened, section=opened.section, form=form)


async def _preview_page(opened: OpenedSection, form: RosterEmailForm) -> ResponseReturnValue:
    recipients = await service.find_recipients(database(), form.email(opened.section.key))
    if not recipients.total:
        form.form_errors = [gettext("Nobody would get this email. Choose other recipients.")]
        return _form_page(opened, form), 422
    form.name_button()
    names = sorted(map(_name, recipients.unconfirmed))
    return render_staff(
        "staff/roster_email_preview.html",
        HERE,
        opened=opened,
        section=opened.section,
        form=form,
        recipients=recipients,
        unreached=names,
        author=auth.signed_in(),
    )


def _name(user: User) -> str:
    return user.full_name
