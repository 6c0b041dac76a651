"""The names that templates of Flask sites use for the contents of a page.

Sites that come from the same tutorial differ in little else: one loops over `course_data`, the next over `courseData`;
one calls the course of an enrollment `result_2`, the next `r2`. Each name leads to one that the site's templates use.
"""

from collections.abc import Container, Iterable, Iterator
from typing import Any

from quart_enroll.domain.models import Course, ScheduledCourse, User
from quart_enroll.i18n.language import Sentence

LISTS: dict[str, tuple[str, ...]] = {
    "course_data": ("courseData", "coursesData", "courses_data", "courseList", "course_list"),
    "classes": ("data", "enrolled", "enrolled_courses", "enrollments", "my_courses"),
    "users": ("students", "user_list"),
}
"""The lists that pages show, with their other names."""

ITEMS: dict[str, type] = {"course_data": Course, "classes": ScheduledCourse, "users": User}

FLAGS = {"course_data": "courses", "classes": "enrollment", "users": "user"}
"""The flags that mark the current page in the navigation; a template that loops over one means the page's list."""

TITLES = {
    "index.html": Sentence("Home"),
    "courses.html": Sentence("Courses"),
    "enrollment.html": Sentence("Your schedule"),
    "user.html": Sentence("Students"),
}
"""Titles of the pages that have none themselves."""

JOINED = {
    *("r1", "r2", "r3", "result", "result1", "result2", "result_1", "result_2"),
    *("class", "classes", "course", "courses"),
}
"""The names that aggregations of Flask sites give to the course or enrollment that they join to a row."""

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "id": ("courseID", "user_id"),
    **dict.fromkeys(("courseId", "course_ID", "course_id"), ("courseID",)),
    **dict.fromkeys(("name", "username"), ("first_name",)),
}
"""Other names for attributes of a row, which mean the first of these that the row has."""

FIELDS = {
    **dict.fromkeys(
        (
            *("confirm", "confirmPassword", "confirm_password", "password2", "passwordConfirm"),
            *("password_confirmation", "password_repeat", "repeat_password", "verify_password"),
        ),
        "password_confirm",
    ),
    **dict.fromkeys(("firstName", "firstname", "fname"), "first_name"),
    **dict.fromkeys(("lastName", "lastname", "lname"), "last_name"),
    **dict.fromkeys(("remember", "rememberMe"), "remember_me"),
}
"""Other names for the fields of forms."""

ENDPOINTS = {
    **dict.fromkeys(("home", "homepage", "landing", "main", "root", "welcome"), "index"),
    **dict.fromkeys(("allcourses", "catalog", "classes", "course", "courselist", "coursespage"), "courses"),
    **dict.fromkeys(("loginpage", "loginuser", "signin", "userlogin"), "login"),
    **dict.fromkeys(("logoutuser", "signout", "userlogout"), "logout"),
    **dict.fromkeys(("newuser", "registerpage", "registeruser", "registration", "signup"), "register"),
    **dict.fromkeys(
        ("enrol", "enroll", "enrolled", "enrollments", "enrolment", "myclasses", "mycourses", "schedule"), "enrollment"
    ),
    **dict.fromkeys(("disenroll", "dropclass", "dropcourse", "unenrol", "unenroll"), "enrollment_drop"),
    **dict.fromkeys(("students", "userlist", "users"), "user"),
    **dict.fromkeys(("myaccount", "profile", "settings", "userprofile"), "account"),
    **dict.fromkeys(("changepassword", "passwordchange"), "account_password"),
    **dict.fromkeys(("forgotpassword", "resetpassword", "resetrequest"), "password_forgot"),
}
"""Other names for endpoints, in lowercase and without underscores."""

FIRST_PAGES = {"all", "home", "index", "list"}
"""The names that blueprints give to their first page."""


class Flag(list["RowNames"]):
    """A page's list under the name of the page's flag: true even when it is empty."""

    def __bool__(self) -> bool:
        return True


class RowNames:
    """A row of a list, whose attributes have other names too."""

    __slots__ = ("_row",)

    def __init__(self, row: object) -> None:
        self._row = row

    def __getattr__(self, name: str) -> Any:
        for known in (name, *ATTRIBUTES.get(name, ())):
            if hasattr(self._row, known):
                return getattr(self._row, known)
        if name in JOINED:
            return self
        raise AttributeError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """Return the attribute, or `default`: on Flask sites, rows of an aggregation are dictionaries."""
        return getattr(self, name, default)


class FormNames:
    """A form whose fields have other names too."""

    __slots__ = ("_form",)

    def __init__(self, form: Any) -> None:
        self._form = form

    def __getattr__(self, name: str) -> Any:
        return getattr(self._form, name if hasattr(self._form, name) else FIELDS.get(name, name))

    def __getitem__(self, name: str) -> Any:
        return self._form[name if name in self._form else FIELDS.get(name, name)]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._form)


def add_names(template: str, context: dict[str, Any]) -> None:
    """Add the other names of a page's variables to its context."""
    context.setdefault("title", str(TITLES.get(template, "")))
    for name, others in LISTS.items():
        if name in context:
            rows = [RowNames(one) for one in context[name]]
            for other in (name, *others):
                context[other] = rows
            context[FLAGS[name]] = Flag(rows)
    if "form" in context:
        context["form"] = FormNames(context["form"])


def attributes_of(item: type) -> set[str]:
    """Return all names of attributes of such a row."""
    own = {name for name in dir(item) if not name.startswith("_")}
    others = {other for other, names in ATTRIBUTES.items() if own.intersection(names)}
    return own | others | JOINED | {"get"}


def endpoints(name: str, known: Container[str]) -> Iterable[str]:
    """Yield the endpoints that the name may mean, the likeliest first; blueprints are ignored."""
    blueprint, _, last = name.rpartition(".")
    candidates = [last, last.lower(), ENDPOINTS.get(_plain(last), "")]
    if last.lower() in FIRST_PAGES and blueprint:
        candidates = [blueprint, ENDPOINTS.get(_plain(blueprint), ""), *candidates]
    return (one for one in dict.fromkeys([name, *candidates]) if one in known)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")
