"""What all staff pages have in common: the menu, with the pages that the person may open."""

from typing import Any, cast

from quart_enroll.state import site
from quart_enroll.web import auth
from quart_enroll.web.application import SiteApp
from quart_enroll.web.compression import RenderedPage
from quart_enroll.web.route import Route
from quart_enroll.web.templating import render


def render_staff(template: str, here: str, **variables: Any) -> RenderedPage:
    """Render a staff page that belongs to the menu's entry with the endpoint `here`."""
    return render(template, staff=True, menu=menu(), here_in_menu=here, **variables)


def menu() -> list[Route]:
    """Return the routes of the menu that admit the signed-in person."""
    roles = auth.signed_in().roles
    return [route for route in cast(SiteApp, site()).staff_menu if not roles.isdisjoint(route.roles)]
