"""The first staff page: what the person may do, and where."""

from quart_enroll.domain.roles import ROLE_NAMES, ROLE_PERMISSIONS, STAFF_ROLES, in_order
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


async def overview() -> RenderedPage:
    staff = auth.signed_in()
    roles = [(ROLE_NAMES[role], ROLE_PERMISSIONS[role]) for role in in_order(staff.roles & STAFF_ROLES)]
    return render_staff("staff/overview.html", "staff", roles=roles, subjects=staff.subjects)
