"""The API v1 for staff, with the same roles as their pages."""

from collections.abc import Callable
from typing import Any

from quart_enroll.api.v1.staff import catalog as api_catalog
from quart_enroll.api.v1.staff import holds as api_holds
from quart_enroll.api.v1.staff import logs as api_logs
from quart_enroll.api.v1.staff import people as api_people
from quart_enroll.api.v1.staff import roster as api_roster
from quart_enroll.api.v1.staff import sections as api_sections
from quart_enroll.api.v1.staff import students as api_students
from quart_enroll.domain.roles import Role
from quart_enroll.i18n.language import Sentence
from quart_enroll.routes.role_groups import (
    ACTING_FOR_STUDENTS,
    CATALOG_READERS,
    READERS_OF_LOGS,
    READERS_OF_STUDENTS,
    REGISTRARS,
    ROSTER_MANAGERS,
    SECTION_EDITORS,
    SECTION_READERS,
)
from quart_enroll.web.route import GET, PATCH, POST, Audience, Route

STAFF = Audience.STAFF


def _staff_api(
    path: str,
    endpoint: str,
    view: Callable[..., Any],
    methods: tuple[str, ...] = GET,
    *,
    roles: frozenset[Role],
    opens_record: Sentence | None = None,
) -> Route:
    """Return a route of the API for staff; its path and its endpoint are those below the API's."""
    return Route(
        f"/api/v1/staff/{path}",
        f"v1_{endpoint}",
        view,
        methods,
        audience=STAFF,
        roles=roles,
        opens_record=opens_record,
        is_localized=False,
        api_tag="Staff" if methods == GET else "Staff changes",
    )


ROUTES = [
    _staff_api("terms", "staff_terms", api_catalog.staff_terms, roles=CATALOG_READERS),
    _staff_api("terms", "add_term", api_catalog.add_term, POST, roles=REGISTRARS),
    _staff_api("term", "staff_term", api_catalog.staff_term, roles=CATALOG_READERS),
    _staff_api("term", "edit_term", api_catalog.edit_term, PATCH, roles=REGISTRARS),
    _staff_api("courses", "staff_courses", api_catalog.staff_courses, roles=CATALOG_READERS),
    _staff_api("courses", "add_course", api_catalog.add_course, POST, roles=REGISTRARS),
    _staff_api("course", "staff_course", api_catalog.staff_course, roles=CATALOG_READERS),
    _staff_api("course", "edit_course", api_catalog.edit_course, PATCH, roles=REGISTRARS),
    _staff_api("sections", "staff_sections", api_sections.staff_sections, roles=SECTION_READERS),
    _staff_api("sections", "add_section", api_sections.add_section, POST, roles=SECTION_EDITORS),
    _staff_api("section", "staff_section", api_sections.staff_section, roles=SECTION_READERS),
    _staff_api("section", "edit_section", api_sections.edit_section, PATCH, roles=SECTION_EDITORS),
    _staff_api("section/cancel", "cancel_section", api_sections.cancel_section, POST, roles=SECTION_EDITORS),
    _staff_api(
        "roster", "roster", api_roster.roster, roles=SECTION_READERS, opens_record=Sentence("Roster, by a program")
    ),
    _staff_api(
        "roster/no-show",
        "drop_no_shows",
        api_roster.drop_no_shows,
        POST,
        roles=ROSTER_MANAGERS,
        opens_record=Sentence("No-shows of a roster, by a program"),
    ),
    _staff_api("students", "staff_students", api_students.staff_students, roles=READERS_OF_STUDENTS),
    _staff_api(
        "students/<int:user_id>",
        "staff_student",
        api_students.staff_student,
        roles=READERS_OF_STUDENTS,
        opens_record=Sentence("Student’s record (API)"),
    ),
    _staff_api(
        "students/<int:user_id>/events",
        "staff_student_events",
        api_students.staff_student_events,
        roles=READERS_OF_STUDENTS,
        opens_record=Sentence("Student’s history (API)"),
    ),
    _staff_api(
        "students/<int:user_id>/why",
        "why",
        api_students.why,
        roles=READERS_OF_STUDENTS,
        opens_record=Sentence("Eligibility check (API)"),
    ),
    _staff_api(
        "students/<int:user_id>/act",
        "act",
        api_students.act,
        POST,
        roles=ACTING_FOR_STUDENTS,
        opens_record=Sentence("Acting for a student (API)"),
    ),
    _staff_api("hold-types", "staff_hold_types", api_holds.staff_hold_types, roles=READERS_OF_LOGS),
    _staff_api("holds", "staff_holds", api_holds.staff_holds, roles=READERS_OF_LOGS),
    _staff_api(
        "students/<int:user_id>/holds",
        "place_hold",
        api_holds.place_hold,
        POST,
        roles=REGISTRARS,
        opens_record=Sentence("Placing a hold (API)"),
    ),
    _staff_api(
        "students/<int:user_id>/holds/lift",
        "lift_hold",
        api_holds.lift_hold,
        POST,
        roles=REGISTRARS,
        opens_record=Sentence("Lifting a hold (API)"),
    ),
    _staff_api("people", "people", api_people.people, roles=REGISTRARS),
    _staff_api("people/<int:user_id>", "person", api_people.person, roles=REGISTRARS),
    _staff_api("people/<int:user_id>", "edit_person", api_people.edit_person, PATCH, roles=REGISTRARS),
    _staff_api("audit", "audit_log", api_logs.audit_log, roles=READERS_OF_LOGS),
    _staff_api("access", "access_log", api_logs.access_log, roles=READERS_OF_LOGS),
]
