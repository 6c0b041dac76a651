"""Permission numbers: single-use codes for one section. The student who enters one gets a permit."""

from dataclasses import dataclass
from datetime import datetime

from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permits import EXPIRED, REVOKED, SECTION_OVERRIDES, USED
from quart_enroll.i18n.language import Sentence

ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: I, L, O and U are missing, because people take them for other characters."""

CODE_LENGTH = 12
"""Characters of a code: 60 bits, far more than anybody can guess at the pace that the site allows."""

NUMBER_OVERRIDES = tuple(one for one in SECTION_OVERRIDES if one is not Override.TIME_CONFLICT)
"""What a permission number may set aside: what concerns its section alone."""

MAX_NUMBERS_PER_BATCH = 200

UNUSED = Sentence("Unused")

_LOOKALIKES = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})


def read_code(text: str) -> str:
    """Return the code as it is stored; hyphens, spaces, case and characters that look alike don't matter."""
    return text.upper().translate(_LOOKALIKES)


def write_code(code: str) -> str:
    """Return the code as people read it: in groups of four."""
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


@dataclass(frozen=True, slots=True)
class NumberBatch:
    """Permission numbers to create for a section: how many, what they set aside and until when, and why."""

    key: SectionKey
    number: int
    overrides: tuple[Override, ...]
    expires_at: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class PermissionNumber:
    """A code for a section, with what it sets aside and until when, its author and reason, and what became of it."""

    code: str
    key: SectionKey
    overrides: frozenset[Override]
    expires_at: datetime
    at: datetime
    author: int
    reason: str
    by_registrar: bool
    used_by: int | None = None
    used_at: datetime | None = None
    is_revoked: bool = False

    @property
    def user_id(self) -> int | None:
        """The student whom the number concerns: the one who used it."""
        return self.used_by

    def state(self, now: datetime) -> Sentence:
        """Return the state in the words of staff."""
        if self.used_by is not None:
            return USED
        if self.is_revoked:
            return REVOKED
        return UNUSED if now < self.expires_at else EXPIRED
