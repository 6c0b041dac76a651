"""Drops no-shows, after a preview that lists them and the students who get their seats."""

from quart import flash, redirect, request
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import CensusDatePassed
from quart_enroll.forms.staff.roster import NoShowForm
from quart_enroll.i18n.language import gettext, plural
from quart_enroll.pages.staff import effects
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.roster import may_manage, name_text, open_roster, roster_url
from quart_enroll.pages.staff.section import HERE, OpenedSection
from quart_enroll.services.staff import no_show as service
from quart_enroll.services.staff import roster as rosters
from quart_enroll.services.staff import sections
from quart_enroll.state import database, enrollment_context, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


async def no_show() -> ResponseReturnValue:
    opened = await open_roster(may_manage)
    form = await NoShowForm.from_request()
    if request.method != "POST":
        return await _choice_page(opened, form)
    if not form.validate():
        return await _choice_page(opened, form), 422
    is_preview = form.confirmed.data != "y"
    key, chosen = opened.section.key, form.students.data or []
    try:
        done = await service.drop(enrollment_context(), auth.signed_in(), key, chosen, now(), preview=is_preview)
    except CensusDatePassed as refusal:
        await flash(refusal.text, refusal.severity)
        return redirect(roster_url(key), 303)
    lines = await effects.of_gained_seats(database(), done.gained, is_preview=is_preview)
    if is_preview and done.dropped:
        names = await sections.find_names(database(), done.dropped)
        return render_staff(
            "staff/no_show_preview.html",
            HERE,
            opened=opened,
            section=opened.section,
            names=names,
            lines=lines,
        )
    if done.dropped:
        dropped = plural("%(number)s student was dropped.", "%(number)s students were dropped.", len(done.dropped))
        await flash(f"{dropped} {effects.as_text(lines)}".strip(), "success")
    else:
        await flash(gettext("These students no longer have a seat in the section."), "info")
    return redirect(roster_url(key), 303)


async def _choice_page(opened: OpenedSection, form: NoShowForm) -> RenderedPage:
    found = await rosters.find(database(), opened.section.key)
    return render_staff(
        "staff/no_show.html",
        HERE,
        opened=opened,
        section=opened.section,
        form=form,
        students=[(row.student.user_id, name_text(row)) for row in found.enrolled],
        chosen=set(form.students.data or ()),
        is_over=now() >= opened.term.census_at,
    )
