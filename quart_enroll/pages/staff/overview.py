"""The first staff page: what the person may do, and where; a new school's registrar also sees how to set it up."""

from quart_enroll.domain.roles import ROLE_NAMES, ROLE_PERMISSIONS, STAFF_ROLES, Role, in_order
from quart_enroll.pages.staff.consent import find_requested_sections
from quart_enroll.pages.staff.layout import render_staff
from quart_enroll.pages.staff.set_up import find_steps
from quart_enroll.web import auth
from quart_enroll.web.compression import RenderedPage


async def overview() -> RenderedPage:
    staff = auth.signed_in()
    roles = [(ROLE_NAMES[role], ROLE_PERMISSIONS[role]) for role in in_order(staff.roles & STAFF_ROLES)]
    steps = await find_steps() if Role.REGISTRAR in staff.roles else []
    facts = {"roles": roles, "subjects": staff.subjects, "steps": steps, "requested": await find_requested_sections()}
    return render_staff("staff/overview.html", "staff", **facts)
