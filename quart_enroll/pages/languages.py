"""Choosing a language."""

from quart import redirect, url_for
from quart.typing import ResponseReturnValue

from quart_enroll.forms.languages import LanguageForm
from quart_enroll.pages.refusals import malformed
from quart_enroll.services.accounts import accounts
from quart_enroll.state import database
from quart_enroll.web import auth, locale


async def choose() -> ResponseReturnValue:
    """Go back to the page in the language that was chosen: who is signed in has it everywhere from now on."""
    form = await LanguageForm.from_request()
    if not form.validate():
        return await malformed(form)
    chosen = str(form.language.data)
    response = redirect(auth.safe_next(form.next.data) or url_for("index"), 303)
    if user := auth.user():
        await accounts.set_language(database(), user.user_id, chosen)
    else:
        locale.remember(response, chosen)
    return response
