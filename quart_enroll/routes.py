"""The URLs of the site, each with the facts about it. Endpoints have no prefix: templates say url_for("courses")."""

from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from werkzeug.routing import IntegerConverter, PathConverter

from quart_enroll.api import courses as flask_api
from quart_enroll.api.v1 import catalog, document, me
from quart_enroll.api.v1.staff import catalog as api_catalog
from quart_enroll.api.v1.staff import confirmation as api_confirmation
from quart_enroll.api.v1.staff import logs as api_logs
from quart_enroll.api.v1.staff import people as api_people
from quart_enroll.api.v1.staff import roster as api_roster
from quart_enroll.api.v1.staff import sections as api_sections
from quart_enroll.api.v1.staff import students as api_students
from quart_enroll.db.collections.users import MAX_USER_ID_DIGITS
from quart_enroll.domain.roles import STAFF_ROLES, Role
from quart_enroll.forms.imports.courses import RESERVED_PREFIX
from quart_enroll.forms.search import SearchForm
from quart_enroll.forms.staff.logs import AccessLogForm, AuditLogForm
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages import health, help, home, languages, live_stream, metrics
from quart_enroll.pages.account import account, data_export, deletion, email_confirmation, passwords, sign_in, tokens
from quart_enroll.pages.catalog import course, courses
from quart_enroll.pages.enrollment import alerts, calendar, enrollment, enrollment_form, history, plan, waitlist
from quart_enroll.pages.staff import (
    access,
    act,
    act_for_many,
    audit,
    confirmation,
    dashboard,
    imports,
    no_show,
    overview,
    people,
    removals,
    report,
    roll,
    roster,
    roster_email,
    section,
    section_cancel,
    sections,
    student,
    terms,
    view_as,
)
from quart_enroll.pages.staff import courses as staff_courses
from quart_enroll.pages.staff import students as staff_students
from quart_enroll.services.accounts import email_links
from quart_enroll.web import auth, static_files
from quart_enroll.web.application import SiteApp
from quart_enroll.web.route import DELETE, GET, PATCH, POST, Audience, Route, add_route

EVERYBODY, SIGNED_IN, STAFF = Audience.EVERYBODY, Audience.SIGNED_IN, Audience.STAFF

REGISTRARS = frozenset({Role.REGISTRAR})
SECTION_EDITORS = REGISTRARS | {Role.SCHEDULER}
SECTION_READERS = SECTION_EDITORS | {Role.INSTRUCTOR, Role.AUDITOR}
CATALOG_READERS = SECTION_EDITORS | {Role.AUDITOR}
ROSTER_MANAGERS = REGISTRARS | {Role.INSTRUCTOR}

SECTION_PARAMETERS = ("term", "courseID", "section")

READERS_OF_STUDENTS = frozenset({Role.REGISTRAR, Role.AUDITOR, Role.ADVISOR})
ACTING_FOR_STUDENTS = frozenset({Role.REGISTRAR, Role.ADVISOR})

READERS_OF_LOGS = frozenset({Role.REGISTRAR, Role.AUDITOR})

DASHBOARD_READERS = report.READERS

LOG_PARAMETERS = ("before", "format")

SEARCH_PARAMETERS = (*SearchForm.parameters(), "page")


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
    Route(
        "/",
        "index",
        home.index,
        aliases=("/index", "/home"),
        query_parameters=(),
        shows_notices=True,
        opens_record=Sentence("Home page, as the student sees it"),
    ),
    Route(
        "/courses/",
        "courses",
        courses.courses,
        aliases=("/courses/<path:term>",),
        query_parameters=SEARCH_PARAMETERS,
        shows_notices=True,
        opens_record=Sentence("Courses, as the student sees them"),
    ),
    Route(
        "/course/<path:courseID>",
        "course",
        course.course,
        query_parameters=("term",),
        shows_notices=True,
        opens_record=Sentence("Course, as the student sees it"),
    ),
    Route("/live", "live", live_stream.live, works_in_views=True),
    Route("/register", "register", sign_in.register, GET + POST),
    Route("/login", "login", sign_in.login, GET + POST),
    Route("/logout", "logout", sign_in.logout, GET + POST, ends_access=True, works_in_views=True),
    Route(
        "/enrollment",
        "enrollment",
        enrollment.enrollment,
        audience=SIGNED_IN,
        query_parameters=(),
        shows_notices=True,
        opens_record=Sentence("Schedule, as the student sees it"),
        sign_in_purpose=Sentence("Please sign in to see your schedule."),
    ),
    Route(
        "/enrollment",
        "enrollment",
        enrollment.enrollment,
        POST,
        audience=SIGNED_IN,
        query_parameters=(),
        survives_disconnect=True,
        changes_only_seats=True,
        sign_in_purpose=Sentence("Please sign in to enroll."),
    ),
    Route(
        "/enrollment/form",
        "enrollment_form",
        enrollment_form.enrollment_form,
        shows_notices=True,
        opens_record=Sentence("Enrollment form, as the student sees it"),
    ),
    Route("/enrollment/drop", "enrollment_drop", enrollment.drop, POST, audience=SIGNED_IN, survives_disconnect=True),
    Route("/enrollment/swap", "enrollment_swap", enrollment.swap, POST, audience=SIGNED_IN, survives_disconnect=True),
    Route(
        "/enrollment/history",
        "history",
        history.history,
        audience=SIGNED_IN,
        shows_notices=True,
        opens_record=Sentence("History, as the student sees it"),
        sign_in_purpose=Sentence("Please sign in to see your enrollment history."),
    ),
    Route(
        "/enrollment/calendar.ics",
        "calendar_file",
        calendar.download,
        audience=SIGNED_IN,
        sign_in_purpose=Sentence("Please sign in to get your calendar."),
    ),
    Route("/enrollment/calendar", "calendar_make", calendar.create_link, GET + POST, audience=SIGNED_IN),
    Route(
        "/enrollment/calendar/end",
        "calendar_end",
        calendar.revoke_link,
        POST,
        audience=SIGNED_IN,
        ends_access=True,
    ),
    Route("/calendar/<token>.ics", "calendar_feed", calendar.feed, audience=EVERYBODY),
    Route("/waitlist", "waitlist_join", waitlist.join, POST, audience=SIGNED_IN, survives_disconnect=True),
    Route("/waitlist/leave", "waitlist_leave", waitlist.leave, POST, audience=SIGNED_IN, survives_disconnect=True),
    Route(
        "/plan",
        "plan",
        plan.plan,
        audience=SIGNED_IN,
        shows_notices=True,
        opens_record=Sentence("Plan, as the student sees it"),
        sign_in_purpose=Sentence("Please sign in to see your plan."),
    ),
    Route(
        "/plan/add", "plan_add", plan.add, POST, audience=SIGNED_IN, survives_disconnect=True, changes_only_seats=True
    ),
    Route(
        "/plan/remove",
        "plan_remove",
        plan.remove,
        POST,
        audience=SIGNED_IN,
        survives_disconnect=True,
        changes_only_seats=True,
    ),
    Route(
        "/plan/up", "plan_up", plan.move_up, POST, audience=SIGNED_IN, survives_disconnect=True, changes_only_seats=True
    ),
    Route(
        "/plan/enroll",
        "plan_enroll",
        plan.enroll,
        POST,
        audience=SIGNED_IN,
        survives_disconnect=True,
        changes_only_seats=True,
    ),
    Route(
        "/alert", "alert_ask", alerts.add, POST, audience=SIGNED_IN, survives_disconnect=True, changes_only_seats=True
    ),
    Route(
        "/alert/end",
        "alert_end",
        alerts.remove,
        POST,
        audience=SIGNED_IN,
        survives_disconnect=True,
        changes_only_seats=True,
    ),
    Route(
        "/account",
        "account",
        account.account,
        audience=SIGNED_IN,
        shows_notices=True,
        opens_record=Sentence("Account, as the student sees it"),
        sign_in_purpose=Sentence("Please sign in to see your account."),
    ),
    Route("/account/data", "account_data", data_export.download, audience=SIGNED_IN),
    Route("/account/delete", "account_delete", deletion.delete, GET + POST, audience=SIGNED_IN, ends_access=True),
    Route("/account/delete/end", "account_delete_end", deletion.withdraw_request, POST, audience=SIGNED_IN),
    Route("/account/end", "account_end", account.end_sign_in, POST, audience=SIGNED_IN, ends_access=True),
    Route(
        "/account/password",
        "account_password",
        passwords.change,
        GET + POST,
        audience=SIGNED_IN,
        ends_access=True,
    ),
    Route(
        "/account/sign-out", "account_sign_out", account.sign_out_everywhere, POST, audience=SIGNED_IN, ends_access=True
    ),
    Route(email_links.FORGOT_PATH, "password_forgot", passwords.forgot, GET + POST),
    Route(email_links.RESET_PATH, "password_reset", passwords.reset, GET + POST, ends_access=True),
    Route(f"{email_links.RESET_PATH}/<token>", "password_link", passwords.open_link),
    Route(email_links.CONFIRM_PATH, "email_confirm", email_confirmation.ask),
    Route(email_links.CONFIRM_PATH, "email_confirmed", email_confirmation.confirm, POST),
    Route(f"{email_links.CONFIRM_PATH}/<token>", "email_link", email_confirmation.open_link),
    Route("/account/email", "email_again", email_confirmation.send_again, POST, audience=SIGNED_IN),
    Route("/account/tokens", "tokens", tokens.tokens, GET + POST, audience=SIGNED_IN),
    Route("/account/tokens/end", "token_end", tokens.revoke, POST, audience=SIGNED_IN, ends_access=True),
    Route("/language", "language", languages.choose, POST),
    Route(
        "/help",
        "help",
        help.help_page,
        query_parameters=(),
        shows_notices=True,
        opens_record=Sentence("Help, as the student sees it"),
    ),
    Route(
        "/staff",
        "staff",
        overview.overview,
        audience=STAFF,
        roles=STAFF_ROLES,
        shows_notices=True,
        menu_label=Sentence("Overview"),
    ),
    Route(
        "/staff/students",
        "staff_students",
        staff_students.students,
        audience=STAFF,
        roles=READERS_OF_STUDENTS,
        query_parameters=("q", "sort", "page", "format", "opted_out"),
        menu_label=Sentence("Students"),
        menu_purpose=Sentence("Find students, see their records, and act for them."),
    ),
    Route(
        "/staff/students/act",
        "staff_act_for_many",
        act_for_many.act_for_many,
        GET + POST,
        audience=STAFF,
        roles=ACTING_FOR_STUDENTS,
        query_parameters=(),
        has_file=True,
    ),
    Route(
        "/staff/students/<int:user_id>",
        "staff_student",
        student.student,
        audience=STAFF,
        roles=READERS_OF_STUDENTS,
        query_parameters=("before",),
        opens_record=Sentence("Student’s record"),
    ),
    Route(
        "/staff/students/<int:user_id>/why",
        "staff_why",
        act.why,
        audience=STAFF,
        roles=READERS_OF_STUDENTS,
        query_parameters=("term", "courseID", "section"),
        opens_record=Sentence("Eligibility check"),
    ),
    Route(
        "/staff/students/<int:user_id>/act",
        "staff_act",
        act.act,
        GET + POST,
        audience=STAFF,
        roles=ACTING_FOR_STUDENTS,
        query_parameters=("action", "term", "courseID", "section", "dropped"),
        opens_record=Sentence("Acting for a student"),
        changes_only_seats=True,
    ),
    Route(
        "/staff/view-as",
        "staff_view_as",
        view_as.begin,
        POST,
        audience=STAFF,
        roles=ACTING_FOR_STUDENTS,
    ),
    Route(
        "/staff/view-as/end",
        "staff_view_as_end",
        view_as.end,
        POST,
        audience=SIGNED_IN,
        ends_access=True,
        works_in_views=True,
    ),
    Route(
        "/user",
        "user",
        staff_students.user,
        audience=STAFF,
        roles=REGISTRARS,
    ),
    Route(
        "/staff/sections",
        "staff_sections",
        sections.sections,
        audience=STAFF,
        roles=SECTION_READERS,
        query_parameters=("q", "term", "subject", "status", "seats", "sort", "page", "format"),
        menu_label=Sentence("Sections"),
        menu_purpose=Sentence("Find, add, change and cancel sections."),
    ),
    Route(
        "/staff/section",
        "staff_section",
        section.section,
        audience=STAFF,
        roles=SECTION_READERS,
        query_parameters=SECTION_PARAMETERS,
    ),
    Route(
        "/staff/section",
        "staff_section",
        section.section,
        POST,
        audience=STAFF,
        roles=SECTION_EDITORS,
        query_parameters=SECTION_PARAMETERS,
        survives_disconnect=True,
    ),
    Route(
        "/staff/section/new",
        "staff_section_new",
        section.new_section,
        GET + POST,
        audience=STAFF,
        roles=SECTION_EDITORS,
        query_parameters=SECTION_PARAMETERS,
        survives_disconnect=True,
    ),
    Route(
        "/staff/section/cancel",
        "staff_section_cancel",
        section_cancel.cancel,
        GET + POST,
        audience=STAFF,
        roles=SECTION_EDITORS,
        query_parameters=SECTION_PARAMETERS,
        survives_disconnect=True,
    ),
    Route(
        "/staff/roster",
        "staff_roster",
        roster.roster,
        audience=STAFF,
        roles=SECTION_READERS,
        query_parameters=(*SECTION_PARAMETERS, "format", "opted_out"),
        opens_record=Sentence("Roster"),
    ),
    Route(
        "/staff/roster/email",
        "staff_roster_email",
        roster_email.roster_email,
        GET + POST,
        audience=STAFF,
        roles=ROSTER_MANAGERS,
        query_parameters=SECTION_PARAMETERS,
        survives_disconnect=True,
        opens_record=Sentence("Email to a section’s students"),
    ),
    Route(
        "/staff/roster/no-show",
        "staff_no_show",
        no_show.no_show,
        GET + POST,
        audience=STAFF,
        roles=ROSTER_MANAGERS,
        query_parameters=SECTION_PARAMETERS,
        survives_disconnect=True,
        opens_record=Sentence("No-shows of a section"),
    ),
    Route(
        "/staff/courses",
        "staff_courses",
        staff_courses.courses,
        audience=STAFF,
        roles=CATALOG_READERS,
        query_parameters=("q", "subject", "sort", "page", "format"),
        menu_label=Sentence("Courses"),
        menu_purpose=Sentence("Find, add and change courses."),
    ),
    Route(
        "/staff/course",
        "staff_course",
        staff_courses.course,
        audience=STAFF,
        roles=CATALOG_READERS,
        query_parameters=("courseID",),
    ),
    Route(
        "/staff/course",
        "staff_course",
        staff_courses.course,
        POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=("courseID",),
        survives_disconnect=True,
    ),
    Route(
        "/staff/course/new",
        "staff_course_new",
        staff_courses.new_course,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
    ),
    Route(
        "/staff/terms",
        "staff_terms",
        terms.terms,
        audience=STAFF,
        roles=CATALOG_READERS,
        query_parameters=("format",),
        menu_label=Sentence("Terms"),
        menu_purpose=Sentence("Set the dates of terms, and copy sections from one term to another."),
    ),
    Route("/staff/term", "staff_term", terms.term, audience=STAFF, roles=CATALOG_READERS, query_parameters=("term",)),
    Route(
        "/staff/term",
        "staff_term",
        terms.term,
        POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=("term",),
        survives_disconnect=True,
    ),
    Route(
        "/staff/term/new",
        "staff_term_new",
        terms.new_term,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
    ),
    Route("/staff/roll", "staff_roll", roll.roll, GET + POST, audience=STAFF, roles=REGISTRARS, query_parameters=()),
    Route(
        "/staff/dashboard",
        "staff_dashboard",
        dashboard.dashboard,
        audience=STAFF,
        roles=DASHBOARD_READERS,
        query_parameters=dashboard.PARAMETERS,
        menu_label=Sentence("Dashboard"),
        menu_purpose=Sentence("Watch an opening, and see demand, refusals and students without a seat."),
    ),
    Route(
        "/staff/imports",
        "staff_imports",
        imports.imports,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
        menu_label=Sentence("Imports"),
        menu_purpose=Sentence("Import terms, courses, sections, people and enrollments from files."),
    ),
    Route(
        "/staff/import/new",
        "staff_import_new",
        imports.new_import,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
        has_file=True,
    ),
    Route(
        "/staff/import/columns",
        "staff_import_columns",
        imports.columns,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=("import_id",),
    ),
    Route(
        "/staff/import",
        "staff_import",
        imports.one_import,
        GET + POST,
        audience=STAFF,
        roles=ACTING_FOR_STUDENTS,
        query_parameters=("import_id", "format"),
    ),
    Route(
        "/staff/people",
        "staff_people",
        people.people,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=("q", "role", "sort", "page", "format", "opted_out"),
        menu_label=Sentence("People"),
        menu_purpose=Sentence("Give people roles, subjects and advisors."),
    ),
    Route(
        "/staff/people/<int:user_id>",
        "staff_person",
        people.person,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
    ),
    Route(
        "/staff/removals",
        "staff_removals",
        removals.removals,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=("page", "format"),
        menu_label=Sentence("Account removals"),
        menu_purpose=Sentence("Decide on requests to remove accounts."),
    ),
    Route(
        "/staff/removals/<int:user_id>",
        "staff_removal",
        removals.removal,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
    ),
    Route(
        "/staff/removals/<int:user_id>/decline",
        "staff_removal_decline",
        removals.decline,
        GET + POST,
        audience=STAFF,
        roles=REGISTRARS,
        query_parameters=(),
    ),
    Route(
        "/staff/audit",
        "staff_audit",
        audit.audit,
        audience=STAFF,
        roles=READERS_OF_LOGS,
        query_parameters=(*AuditLogForm.parameters(), *LOG_PARAMETERS),
        menu_label=Sentence("Audit log"),
        menu_purpose=Sentence("See who changed what, and why."),
    ),
    Route(
        "/staff/access",
        "staff_access",
        access.access,
        audience=STAFF,
        roles=READERS_OF_LOGS,
        query_parameters=(*AccessLogForm.parameters(), *LOG_PARAMETERS),
        menu_label=Sentence("Access log"),
        menu_purpose=Sentence("See who opened which records."),
    ),
    Route("/api/", "api", flask_api.api, aliases=("/api/<flask_api:idx>",), query_parameters=(), is_localized=False),
    Route(
        "/api/v1/terms",
        "v1_terms",
        catalog.terms,
        audience=EVERYBODY,
        query_parameters=(),
        is_localized=False,
        api_tag="Catalog",
    ),
    Route(
        "/api/v1/courses",
        "v1_courses",
        catalog.courses,
        audience=EVERYBODY,
        is_localized=False,
        api_tag="Catalog",
    ),
    Route(
        "/api/v1/courses/<path:courseID>",
        "v1_course",
        catalog.course,
        audience=EVERYBODY,
        query_parameters=(),
        is_localized=False,
        api_tag="Catalog",
    ),
    Route(
        "/api/v1/sections", "v1_sections", catalog.sections, audience=EVERYBODY, is_localized=False, api_tag="Catalog"
    ),
    Route("/api/v1/me", "v1_me", me.me, audience=SIGNED_IN, is_localized=False, api_tag="Me"),
    Route(
        "/api/v1/me/enrollments", "v1_enrollments", me.enrollments, audience=SIGNED_IN, is_localized=False, api_tag="Me"
    ),
    Route(
        "/api/v1/me/enrollments",
        "v1_enroll",
        me.enroll,
        POST,
        audience=SIGNED_IN,
        is_localized=False,
        api_tag="Changes",
    ),
    Route(
        "/api/v1/me/enrollments", "v1_drop", me.drop, DELETE, audience=SIGNED_IN, is_localized=False, api_tag="Changes"
    ),
    Route("/api/v1/me/swaps", "v1_swap", me.swap, POST, audience=SIGNED_IN, is_localized=False, api_tag="Changes"),
    Route("/api/v1/me/waitlist", "v1_waitlist", me.waitlist, audience=SIGNED_IN, is_localized=False, api_tag="Me"),
    Route("/api/v1/me/waitlist", "v1_join", me.join, POST, audience=SIGNED_IN, is_localized=False, api_tag="Changes"),
    Route(
        "/api/v1/me/waitlist", "v1_leave", me.leave, DELETE, audience=SIGNED_IN, is_localized=False, api_tag="Changes"
    ),
    Route("/api/v1/me/events", "v1_events", me.events, audience=SIGNED_IN, is_localized=False, api_tag="Me"),
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
    _staff_api("people", "people", api_people.people, roles=REGISTRARS),
    _staff_api("people/<int:user_id>", "person", api_people.person, roles=REGISTRARS),
    _staff_api("people/<int:user_id>", "edit_person", api_people.edit_person, PATCH, roles=REGISTRARS),
    _staff_api("audit", "audit_log", api_logs.audit_log, roles=READERS_OF_LOGS),
    _staff_api("access", "access_log", api_logs.access_log, roles=READERS_OF_LOGS),
    Route("/api/v1/openapi.json", "v1_document", document.openapi, audience=EVERYBODY, is_localized=False),
    Route("/api/v1/docs", "v1_docs", document.docs),
    Route("/static/<path:filename>", "static", static_files.static, audience=EVERYBODY, is_localized=False),
    Route("/healthz", "healthz", health.healthz, audience=EVERYBODY, is_localized=False, allows_http=True),
    Route("/readyz", "readyz", health.readyz, audience=EVERYBODY, is_localized=False, allows_http=True),
    Route("/metrics", "metrics", metrics.metrics, audience=EVERYBODY),
]

_PARAMETERS = {
    path.partition("<")[0]: frozenset(name.encode() for name in route.query_parameters)
    for route in ROUTES
    if route.query_parameters is not None
    for path in route.paths
}
"""The query parameters that are read at each path; for a path with a variable part, at all paths that begin like it."""

_PATHS = {path for route in ROUTES for path in route.paths if "<" not in path}

_FOLDERS = {path.partition("<")[0] for route in ROUTES for path in route.paths if "<" in path}

_DEEP_FOLDERS = sorted(
    (path.partition("<")[0] for route in ROUTES for path in route.paths if ":" in path), key=len, reverse=True
)
"""Folders below which a variable part may contain slashes; an inner folder comes before its outer one."""


def filter_query(path: str, query: bytes) -> bytes:
    """Return the query without the parameters that the view at the path does not read."""
    folder = path if path in _PATHS else next(filter(path.startswith, _DEEP_FOLDERS), path[: path.rfind("/") + 1])
    names = _PARAMETERS.get(path)
    if names is None and (folder not in _FOLDERS or (names := _PARAMETERS.get(folder)) is None):
        return query
    return b"&".join(parameter for parameter in query.split(b"&") if _name(parameter) in names)


def _name(parameter: bytes) -> bytes:
    return unquote_to_bytes(parameter.partition(b"=")[0].replace(b"+", b" "))


class FlaskApiConverter(PathConverter):
    """Matches what may follow /api/ in URLs of the Flask site's API, but not the newer API."""

    regex = f"(?!{RESERVED_PREFIX})[^/].*?"


class StorableIntConverter(IntegerConverter):
    """Matches numbers that the database can store; a longer one names nobody."""

    regex = rf"\d{{1,{MAX_USER_ID_DIGITS}}}"


def register(app: SiteApp) -> None:
    """Add all routes to `app`, each open to its audience only."""
    app.url_map.converters["int"] = StorableIntConverter
    app.url_map.converters["flask_api"] = FlaskApiConverter
    for route in ROUTES:
        is_new = route.endpoint not in app.view_functions
        if route.menu_label is not None:
            app.staff_menu.append(route)
        if route.survives_disconnect:
            app.surviving_paths.update(route.paths)
        if route.has_file:
            app.upload_paths.update(route.paths)
        add_route(app, route, _guarded(route) if is_new and route.view else None)


def _guarded(route: Route) -> Callable[..., Any] | None:
    """Return the route's view, open to its audience only; for changes, staff confirm their password."""
    view = route.view
    if view is not None and route.audience is STAFF:
        view = api_confirmation.confirmed(view) if route.api_tag else confirmation.confirmed(view)
    return view and auth.restrict(view, route.audience)
