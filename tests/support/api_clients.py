"""Programs that use the API for a student or a staff member."""

from typing import Any

from quart import Quart
from quart.wrappers import Response

from quart_enroll.db.client import Database
from quart_enroll.db.collections import users
from quart_enroll.domain.models import User
from quart_enroll.domain.scopes import Scope
from quart_enroll.services.accounts import sessions, tokens
from quart_enroll.services.accounts.token_digest import token_digest
from tests.support.people import FALL_MORNING, SPRING

ENROLLMENTS, SWAPS, WAITLIST = "/api/v1/me/enrollments", "/api/v1/me/swaps", "/api/v1/me/waitlist"
PYT = {"courseID": "1111"}


class Program:
    """A program: it sends a token, but no cookies and none of a browser's own headers."""

    def __init__(self, app: Quart, authorization: str) -> None:
        self.client = app.test_client(use_cookies=False)
        self.headers = {"Authorization": authorization}

    async def send(self, method: str, path: str, json: Any = None, **headers: str) -> Response:
        sent = self.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        options = {} if json is None else {"json": json}
        return await self.client.open(path, method=method, headers=sent, **options)

    async def get(self, path: str) -> Any:
        response = await self.send("GET", path)
        assert response.status_code == 200
        return await response.get_json()

    async def post(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        response = await self.send("POST", path, body, **headers)
        return response.status_code, await response.get_json()

    async def patch(self, path: str, body: Any, **headers: str) -> tuple[int, Any]:
        response = await self.send("PATCH", path, body, **headers)
        return response.status_code, await response.get_json()

    async def delete(self, path: str) -> tuple[int, Any]:
        response = await self.send("DELETE", path)
        return response.status_code, await response.get_json()


async def token(db: Database, user: User, scope: Scope = Scope.ENROLL, **facts: Any) -> str:
    """Create a token that is valid until spring."""
    given = {"name": "program", "expires_at": SPRING.withdraw_deadline, "now": FALL_MORNING} | facts
    found = await users.find_credentials_by_id(db, user.user_id)
    assert found is not None
    begun = await sessions.sign_in(db, found, sessions.SignInLifetimes(), given["now"], remember=False)
    text, _ = await tokens.create(db, user.user_id, scope=scope, login=token_digest(begun.identity), **given)
    await sessions.sign_out(db, begun.identity)
    return text


async def program(app: Quart, db: Database, user: User, scope: Scope = Scope.ENROLL) -> Program:
    """Return a program with a token of that user."""
    return Program(app, f"Bearer {await token(db, user, scope)}")
