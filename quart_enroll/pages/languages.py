"""The choice of a language."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.forms.languages import LanguageForm
from quart_enroll.pages.form_views import valid_form
from quart_enroll.services.accounts import accounts
from quart_enroll.state import database
from quart_enroll.web import auth, locale


@valid_form(LanguageForm)
async def choose(form: LanguageForm) -> ResponseReturnValue:
    """Return to the page in the chosen language, which an account keeps on every device."""
    chosen = str(form.language.data)
    response = redirect(auth.safe_next(form.next.data) or url_for("index"), 303)
    if user := auth.user():
        await accounts.set_language(database(), user.user_id, chosen)
    else:
        locale.remember(response, chosen)
    return response
