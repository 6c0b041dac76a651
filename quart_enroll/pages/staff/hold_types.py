"""The school's types of holds: the list, and the form that adds, changes or removes one."""

from dataclasses import replace

from quart import abort, flash, redirect, request, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.holds import HoldBlock, HoldType
from quart_enroll.forms.staff.holds import HoldTypeForm
from quart_enroll.i18n.language import format_list_of, gettext
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.services.staff import hold_types as service
from quart_enroll.state import database, now
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage

MENU_ENTRY = "staff_students"


async def hold_types() -> RenderedPage:
    types = [(one, _blocks(one)) for one in await service.find_all(database())]
    return render_staff("staff/hold_types.html", MENU_ENTRY, types=types)


async def hold_type() -> ResponseReturnValue:
    """Add a type, or change or remove the one that the URL names."""
    name = request.args.get("name", "")
    found = await service.find(database(), name) if name else None
    if name and found is None:
        abort(404)
    form = await HoldTypeForm.from_request(**_values(found))
    if found:
        del form.name  # the name is the key: holds are filtered and imported by it
    if request.method == "POST" and form.validate():
        if found and "remove" in await request.form:
            await service.remove(database(), auth.signed_in().user_id, name, now())
            return await _to_list(gettext("Removed. Holds of this type stay in effect until they’re lifted."))
        changed = replace(form.hold_type(), name=name) if found else form.hold_type()
        if found is None and await service.find(database(), changed.name):
            form.name.errors = [gettext("There is already a type with this name.")]
        else:
            is_new = await service.save(database(), auth.signed_in().user_id, changed, now())
            saved = gettext("Saved. Holds that are already placed stay as they are.")
            return await _to_list(saved if is_new else gettext("Nothing was changed."))
    page = render_staff("staff/hold_type.html", MENU_ENTRY, form=form, name=name)
    return (page, 422) if form.errors else page


def _values(found: HoldType | None) -> dict[str, object]:
    if found is None:
        return {}
    return {"office": found.office, "contact": found.contact, "blocks": [one.value for one in found.blocks]}


def _blocks(type: HoldType) -> str:
    """Return in words what holds of the type block."""
    return format_list_of([str(one.label) for one in HoldBlock if one in type.blocks])


async def _to_list(sentence: str) -> ResponseReturnValue:
    await flash(sentence, "success")
    return redirect(url_for("staff_hold_types"), 303)
