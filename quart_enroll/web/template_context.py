"""The visitor as templates know them, with the attributes that templates of Flask sites use."""

from dataclasses import dataclass
from typing import Any

from quart_enroll.domain.models import User
from quart_enroll.domain.roles import Role
from quart_enroll.web import auth
from quart_enroll.web.cookies import current_identity

SESSION_KEYS = ("username", "user_id", "email")
"""The keys that templates find in the session of a signed-in user."""


@dataclass(frozen=True, slots=True)
class TemplateVisitor:
    """The variable `current_user`: nothing to await, and all attributes of Flask-Login's."""

    auth_id: str | None
    user: User | None

    @property
    def is_authenticated(self) -> bool:
        return self.user is not None

    @property
    def is_active(self) -> bool:
        return self.user is not None

    @property
    def is_anonymous(self) -> bool:
        return self.user is None

    @property
    def roles(self) -> frozenset[Role]:
        return self.user.roles if self.user else frozenset()

    @property
    def is_staff(self) -> bool:
        return self.user is not None and self.user.is_staff

    @property
    def role(self) -> str | None:
        return self.user.role if self.user else None

    @property
    def user_id(self) -> int | None:
        return self.user.user_id if self.user else None

    @property
    def id(self) -> int | None:
        return self.user_id

    @property
    def first_name(self) -> str:
        return self.user.first_name if self.user else ""

    @property
    def last_name(self) -> str:
        return self.user.last_name if self.user else ""

    @property
    def username(self) -> str:
        return self.first_name

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def email(self) -> str:
        return self.user.email if self.user else ""

    def get_id(self) -> str | None:
        """Return the user_id as text, as Flask-Login does."""
        return str(self.user.user_id) if self.user else None


def shared_context() -> dict[str, Any]:
    """Return the variables about the visitor that every template has."""
    user = auth.user()
    return {
        "current_user": TemplateVisitor(current_identity(), user),
        "session": session_facts(),
    }


def session_facts() -> dict[str, Any]:
    """Return what templates find in the session."""
    user = auth.user()
    return dict(zip(SESSION_KEYS, (user.short_name, user.user_id, user.email), strict=True)) if user else {}
