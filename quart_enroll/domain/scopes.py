"""What a token of the API allows; never more than its owner may do at the time of the request."""

from collections.abc import Mapping
from enum import StrEnum

from quart_enroll.i18n.language import Sentence


class Scope(StrEnum):
    """A scope, under its stored name."""

    READ = "read"
    ENROLL = "enroll"
    STAFF_READ = "staff:read"
    STAFF_WRITE = "staff:write"


STAFF_SCOPES = frozenset({Scope.STAFF_READ, Scope.STAFF_WRITE})
"""The scopes of tokens with which staff work."""

CHANGING_SCOPES = frozenset({Scope.ENROLL, Scope.STAFF_WRITE})
"""The scopes of tokens that may change something."""

SCOPE_NAMES: Mapping[Scope, Sentence] = {
    Scope.READ: Sentence("Read"),
    Scope.ENROLL: Sentence("Read and enroll"),
    Scope.STAFF_READ: Sentence("Read as staff"),
    Scope.STAFF_WRITE: Sentence("Read and change as staff"),
}

SCOPE_PERMISSIONS: Mapping[Scope, Sentence] = {
    Scope.READ: Sentence("Read your schedule"),
    Scope.ENROLL: Sentence("Read your schedule, enroll and drop"),
    Scope.STAFF_READ: Sentence("Read everything you can see as staff"),
    Scope.STAFF_WRITE: Sentence("Read and change everything you can as staff"),
}
"""What people choose when they create a token."""


def allows(scope: Scope, *, for_staff: bool, is_change: bool) -> bool:
    """Return whether a token with the scope may be used for a read or a change, as staff or for oneself."""
    if is_change and scope not in CHANGING_SCOPES:
        return False
    if for_staff:
        return scope in STAFF_SCOPES
    return not is_change or scope is Scope.ENROLL
