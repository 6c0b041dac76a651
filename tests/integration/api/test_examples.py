"""The examples in the API's documentation."""

import html
import json
import re
import shlex
from typing import Any
from urllib.parse import urlsplit

from quart import Quart

from quart_enroll.db.client import Database
from quart_enroll.domain.scopes import Scope
from tests.support.api_clients import Program, token
from tests.support.holds import hold_ada
from tests.support.people import ADA, RITA, Browser

CONFLICTS = {"edit_person"}
"""Operations whose examples can't fit: the version of a person is random."""

FIRST, LAST = ("lift_hold",), ("drop", "leave", "enroll_in_plan", "remove_from_plan", "place_hold")
"""Operations that make others possible, and those that undo what others need or do what they do."""


async def test_each_example_of_the_documentation_works(app: Quart, db: Database, anyone: Browser) -> None:
    await hold_ada(db)
    programs = {user: Program(app, f"Bearer {await token(db, user, scope)}") for user, scope in _scopes().items()}
    page = await anyone.read("/api/v1/docs")
    document = await (await anyone.get("/api/v1/openapi.json")).get_json()
    commands = dict(re.findall(r'id="(\w+)">.*?<pre class="example" tabindex="0"><code>(.*?)</code>', page, re.DOTALL))
    operations = [one for methods in document["paths"].values() for one in methods.values()]
    assert [one["operationId"] for one in operations if one["operationId"] not in commands] == []
    found = {}
    for name, command in sorted(commands.items(), key=lambda one: (one[0] not in FIRST, one[0] in LAST)):
        method, path, body = _request(html.unescape(command))
        program = programs[RITA if "/staff/" in path else ADA]
        found[name] = (await program.send(method, path, body)).status_code
    assert {name: status for name, status in found.items() if status not in (200, 201)} == dict.fromkeys(CONFLICTS, 409)


async def test_the_documentation_states_ranges_and_defaults(anyone: Browser) -> None:
    page = " ".join(re.sub("<[^>]+>", "", await anyone.read("/api/v1/docs")).split())
    assert "limit integer from 1 to 100, by default 50, in the query" in page
    assert "courseID string of 1 to 20 characters, in the path, required" in page


async def test_the_root_of_the_api_leads_to_its_documentation(anyone: Browser) -> None:
    response = await anyone.get("/api/v1")
    assert (response.status_code, response.location) == (302, "/api/v1/docs")


def _scopes() -> dict[Any, Scope]:
    return {ADA: Scope.ENROLL, RITA: Scope.STAFF_WRITE}


def _request(command: str) -> tuple[str, str, Any]:
    """Return the method, the path and the body of a curl command."""
    words = shlex.split(command.replace("\\\n", " "))
    url = next(word for word in words if word.startswith("http"))
    body = json.loads(words[words.index("-d") + 1]) if "-d" in words else None
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if body else "GET"
    return method, urlsplit(url)._replace(scheme="", netloc="").geturl(), body
