"""The names that a school's own templates may use, and the page that lists them."""

import re
from pathlib import Path

from quart_enroll.domain.models import Course, User
from quart_enroll.web.overrides.names import ATTRIBUTES, ENDPOINTS, FIELDS, FLAGS, JOINED, LISTS, attributes_of

PAGE = Path(__file__).parents[2] / "docs/moving-from-flask.md"


def test_the_docs_list_every_name() -> None:
    listed = set(re.findall(r"`(\w+)`", PAGE.read_text("utf-8")))
    names = {*ATTRIBUTES, *ENDPOINTS, *ENDPOINTS.values(), *FIELDS, *FIELDS.values(), *FLAGS.values(), *JOINED}
    lists = {name for base, others in LISTS.items() for name in (base, *others)}
    assert (names | lists) - listed == set()


def test_a_password_has_no_name() -> None:
    assert "password" not in attributes_of(User)
    assert {"id", "email", "username", "get"} <= attributes_of(User)
    assert {"course_id", "r2", "credits"} <= attributes_of(Course)
