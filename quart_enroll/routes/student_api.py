"""The API of the Flask site, and the API v1 for everybody and for students."""

from quart_enroll.api import courses as flask_api
from quart_enroll.api.v1 import catalog, document, me, plan
from quart_enroll.web.route import DELETE, PATCH, POST, Audience, Route

EVERYBODY, SIGNED_IN = Audience.EVERYBODY, Audience.SIGNED_IN

ROUTES = [
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
    Route("/api/v1/me/plan", "v1_plan", plan.plan, audience=SIGNED_IN, is_localized=False, api_tag="Me"),
    Route(
        "/api/v1/me/plan",
        "v1_plan_add",
        plan.add_to_plan,
        POST,
        audience=SIGNED_IN,
        is_localized=False,
        api_tag="Changes",
    ),
    Route(
        "/api/v1/me/plan",
        "v1_plan_edit",
        plan.edit_plan,
        PATCH,
        audience=SIGNED_IN,
        is_localized=False,
        api_tag="Changes",
    ),
    Route(
        "/api/v1/me/plan",
        "v1_plan_remove",
        plan.remove_from_plan,
        DELETE,
        audience=SIGNED_IN,
        is_localized=False,
        api_tag="Changes",
    ),
    Route(
        "/api/v1/me/plan/enroll",
        "v1_plan_enroll",
        plan.enroll_in_plan,
        POST,
        audience=SIGNED_IN,
        is_localized=False,
        api_tag="Changes",
    ),
    Route("/api/v1/me/events", "v1_events", me.events, audience=SIGNED_IN, is_localized=False, api_tag="Me"),
    Route("/api/v1/openapi.json", "v1_document", document.openapi, audience=EVERYBODY, is_localized=False),
    Route("/api/v1/docs", "v1_docs", document.docs),
]
