"""The forms that create and revoke shared links."""

from collections.abc import Iterable
from typing import Any

from wtforms import HiddenField, SelectField, StringField, SubmitField
from wtforms.validators import DataRequired, Length

from quart_enroll.domain.models import MAX_LABEL_LENGTH, SharedContent, Term
from quart_enroll.forms.accounts import own_password
from quart_enroll.forms.base import SiteForm, lazy, offered, one_line, stripped
from quart_enroll.forms.search import choices
from quart_enroll.i18n.language import format_term

IS_OFFERED = offered(lazy("Choose one from the list."))


class SharedLinkForm(SiteForm):
    """Create a link to the schedule or plan of a term."""

    content = SelectField(
        lazy("What to share"),
        [IS_OFFERED],
        choices=choices({SharedContent.SCHEDULE: lazy("Your schedule"), SharedContent.PLAN: lazy("Your plan")}),
        description=lazy("The plan also includes the courses you’re already enrolled in."),
        validate_choice=False,
    )
    term = SelectField(lazy("Term"), [IS_OFFERED], choices=[], validate_choice=False)
    label = StringField(
        lazy("Name (optional)"),
        [one_line, Length(max=MAX_LABEL_LENGTH, message=lazy("Use at most 50 characters."))],
        filters=[stripped],
        description=lazy("Only you see it. Note who the link is for, such as “roommates”."),
    )
    password = own_password()
    submit = SubmitField(lazy("Create link"))

    @classmethod
    async def of(cls, terms: Iterable[Term], **values: Any) -> "SharedLinkForm":
        """Return the form as it was sent, or with these values; it offers the terms."""
        form = await cls.from_request(**values)
        form.term.choices = choices({term.term: format_term(term.term) for term in terms})
        return form


class RevokeSharedLinkForm(SiteForm):
    """Revoke a shared link."""

    link_id = HiddenField(lazy("Link"), [DataRequired(lazy("Choose a link.")), one_line, Length(max=50)])
