"""The form in which staff enter their password again before a change."""

from quart_enroll.forms.accounts import own_password
from quart_enroll.forms.base import SiteForm


class ConfirmationForm(SiteForm):
    """The password; its name is used by no other form, because it is sent together with them."""

    confirmed_password = own_password()
