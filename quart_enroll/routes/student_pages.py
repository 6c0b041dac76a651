"""The pages for visitors and students."""

from quart_enroll.forms.search import SearchForm
from quart_enroll.i18n.language import Sentence
from quart_enroll.pages import help, home, languages, live_stream
from quart_enroll.pages.account import account, data_export, deletion, email_confirmation, passwords, sign_in, tokens
from quart_enroll.pages.catalog import course, courses, instructor
from quart_enroll.pages.enrollment import alerts, calendar, enrollment, enrollment_form, history, plan, waitlist
from quart_enroll.services.accounts import email_links
from quart_enroll.web.route import GET, POST, Audience, Route

EVERYBODY, SIGNED_IN = Audience.EVERYBODY, Audience.SIGNED_IN

SEARCH_PARAMETERS = (*SearchForm.parameters(), "page")

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
    Route(
        "/instructor/<path:name>",
        "instructor",
        instructor.instructor,
        query_parameters=(),
        shows_notices=True,
        opens_record=Sentence("Instructor, as the student sees them"),
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
        query_parameters=("term",),
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
        query_parameters=("term",),
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
        "/plan/down",
        "plan_down",
        plan.move_down,
        POST,
        audience=SIGNED_IN,
        survives_disconnect=True,
        changes_only_seats=True,
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
]
