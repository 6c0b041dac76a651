"""Copies the sections of a term into another, after a preview."""

from quart import flash, redirect, request, url_for
from quart.typing import ResponseReturnValue
from wtforms.fields.choices import SelectChoice  # type: ignore[attr-defined]  # newer than its types

from quart_enroll.domain.errors import UnknownTerm
from quart_enroll.forms.staff.catalog import RollForm
from quart_enroll.i18n.language import TermName, gettext, plural
from quart_enroll.pages.staff.effects import section_name
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.staff import catalog_edits, term_roll
from quart_enroll.services.staff.term_roll import Roll, RollRequest
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

MAX_LISTED_SECTIONS = 200
"""Sections that the preview names; it only counts the others."""


async def roll() -> ResponseReturnValue:
    known = [term.term for term in reversed(await catalog_edits.find_terms(database()))]
    form = await RollForm.from_request(source=known[1] if len(known) > 1 else "")
    for field in (form.source, form.target):
        field.choices = [SelectChoice(name, str(TermName(name))) for name in known]
    if request.method != "POST":
        return _page(form)
    if not form.validate():
        return _page(form), 422
    if form.source.data == form.target.data:
        form.target.errors = [gettext("Choose another term.")]
        return _page(form), 422
    wanted = RollRequest(
        form.source.data or "", form.target.data or "", form.with_instructors.data, form.as_tentative.data
    )
    try:
        if not form.confirmed.data:
            return _page(form, await term_roll.preview(database(), wanted))
        done = await term_roll.roll(database(), auth.signed_in().user_id, wanted, now())
    except UnknownTerm as refusal:
        form.form_errors = [refusal.text]
        return _page(form), 422
    copied = plural("%(number)s section copied.", "%(number)s sections copied.", len(done.new))
    await flash(str(copied), "success" if done.new else "info")
    return redirect(url_for("staff_sections", term=wanted.target), 303)


def _page(form: RollForm, planned: Roll | None = None) -> RenderedPage:
    listed = [section_name(one.key) for one in planned.new[:MAX_LISTED_SECTIONS]] if planned else []
    return render_staff(
        "staff/roll.html",
        "staff_terms",
        form=form,
        planned=planned,
        listed=listed,
        existing=[section_name(key) for key in planned.existing[:MAX_LISTED_SECTIONS]] if planned else [],
    )
