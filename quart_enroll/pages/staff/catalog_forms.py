"""What the pages of terms and courses share: saving a row, after a preview if it affects people.

A person who saves a row that someone else has changed meanwhile sees the other values first.
"""

from collections.abc import Awaitable, Callable, Mapping

from quart import flash, redirect
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import EditConflict, WrongFields
from quart_enroll.forms.staff.catalog import CatalogForm
from quart_enroll.i18n.language import gettext
from quart_enroll.pages.staff import effects
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.catalog.import_results import ImportResult
from quart_enroll.state import database
from quart_enroll.web import access_log
from quart_enroll.web.compression import RenderedPage

Save = Callable[[bool], Awaitable[ImportResult]]
"""Saves the form; with True, it only finds out what would happen."""


Reread = Callable[[], Awaitable[Mapping[str, str]]]
"""Reads the values of the form's fields as they are stored now, `seen` among them."""


async def nothing_stored() -> Mapping[str, str]:
    """Return the values of a row that doesn't exist yet."""
    return {}


async def save(
    form: CatalogForm,
    save_row: Save,
    url: str,
    *,
    here: str,
    heading: str,
    page: Callable[..., RenderedPage],
    reread: Reread = nothing_stored,
) -> ResponseReturnValue:
    """Save a valid form and lead to `url`; show what is wrong on its `page`.

    If students would get seats, a page asks first.
    """
    try:
        if not form.confirmed.data:
            lines = await effects.of_import(database(), await save_row(True), is_preview=True)
            if lines:
                return render_staff("staff/effects.html", here, heading=heading, form=form, lines=lines, back=url)
        done = await save_row(False)
    except WrongFields as refusal:
        form.show(dict(refusal.fields))
        return page(), 422
    except EditConflict as refusal:
        access_log.note(code=refusal.code)
        stored = await reread()
        form.seen.data, form.confirmed.data = stored["seen"], ""
        form.form_errors = [refusal.text]
        differences = form.differences({name: value for name, value in stored.items() if name != "seen"})
        return page(differences=differences), refusal.status
    if done.unchanged:
        await flash(gettext("Nothing was changed."), "info")
    else:
        lines = await effects.of_import(database(), done, is_preview=False)
        await flash(" ".join([gettext("Saved."), effects.as_text(lines)]).strip(), "success")
    return redirect(url, 303)
