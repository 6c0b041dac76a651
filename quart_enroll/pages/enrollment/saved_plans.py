"""The buttons on the plan page that save, use, rename and delete one of several plans for a term."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from quart import flash, redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.domain.errors import PlanNameTaken, Refused, TooManyPlans
from quart_enroll.domain.models import Term
from quart_enroll.forms.enrollment import PlanNameForm, SavedPlanForm
from quart_enroll.i18n.language import Sentence, gettext
from quart_enroll.pages.enrollment import plan
from quart_enroll.pages.form_errors import show_beside
from quart_enroll.pages.form_views import flash_refusal, valid_form
from quart_enroll.services.enrollment import saved_plans as service
from quart_enroll.services.enrollment.context import EnrollmentContext
from quart_enroll.state import enrollment_context, now
from quart_enroll.web import auth


async def save() -> ResponseReturnValue:
    async def save_copy(form: PlanNameForm) -> Term:
        name, user_id = form.name.data or "", auth.signed_in().user_id
        term = await service.save_copy(enrollment_context(), user_id, form.term.data or "", name, now())
        await flash(gettext("Saved a copy of your plan: %(name)s.", name=name), "success")
        return term

    return await _named(save_copy)


async def rename() -> ResponseReturnValue:
    async def rename_plan(form: PlanNameForm) -> Term:
        name, old, user_id = form.name.data or "", form.in_use.data or "", auth.signed_in().user_id
        term = await service.rename(enrollment_context(), user_id, form.term.data or "", old, name, now())
        await flash(gettext("Your plan is now named %(name)s.", name=name), "success")
        return term

    return await _named(rename_plan)


@valid_form(SavedPlanForm)
async def use(form: SavedPlanForm) -> ResponseReturnValue:
    return await _saved(form, service.use, Sentence("You’re now using this plan: %(name)s."))


@valid_form(SavedPlanForm)
async def delete(form: SavedPlanForm) -> ResponseReturnValue:
    return await _saved(form, service.delete, Sentence("Deleted this plan: %(name)s."))


async def _saved(
    form: SavedPlanForm,
    change: Callable[[EnrollmentContext, int, str, str, datetime], Awaitable[Term]],
    done: Sentence,
) -> ResponseReturnValue:
    """Change the saved plan that the form names, and flash the message."""
    name, user_id = form.name.data or "", auth.signed_in().user_id
    try:
        term = await change(enrollment_context(), user_id, form.term.data or "", name, now())
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))
    await flash(done % {"name": name or gettext("Main plan")}, "success")
    return _to_plan(term)


async def _named(change: Callable[[PlanNameForm], Awaitable[Term]]) -> ResponseReturnValue:
    """Make the change with a valid form, whose name is not taken; otherwise, show the page with the error."""
    form = await PlanNameForm.from_request()
    wanted = form.term.data or ""
    if not form.validate():
        return await plan.page(wanted, form), 422
    try:
        return _to_plan(await change(form))
    except (PlanNameTaken, TooManyPlans) as refusal:
        show_beside(form.name, refusal)
        return await plan.page(wanted, form), 422
    except Refused as refusal:
        return await flash_refusal(refusal, url_for("plan"))


def _to_plan(term: Term) -> ResponseReturnValue:
    return redirect(url_for("plan", term=term.term), 303)
