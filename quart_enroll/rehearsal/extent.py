"""What is rehearsed: how many students for how long, and how the site runs meanwhile."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from quart_enroll.services.maintenance.upgrade import UpgradeDefaults

ARRIVING_SHARE, MIN_ARRIVING_SECONDS, MAX_ARRIVING_SECONDS = 0.33, 3.0, 60.0
"""How long students arrive before the opening: this share of the time after it, within these limits."""


@dataclass(frozen=True, slots=True)
class Extent:
    """How many students act for how many minutes, and the percentage of them who use a password.

    `students_source` says where their number is from.
    """

    students: int
    students_source: str
    minutes: float
    password_percent: int
    seed: int

    @property
    def arriving_seconds(self) -> float:
        """The seconds before the opening in which students arrive."""
        return min(max(ARRIVING_SHARE * 60 * self.minutes, MIN_ARRIVING_SECONDS), MAX_ARRIVING_SECONDS)


@dataclass(frozen=True, slots=True)
class SiteSettings:
    """How the site runs: the command of its processes, their folder, and what differs from the school's settings.

    The next four are settings that the report needs. `cookie_name` and `sign` make the cookie of a sign-in, whose
    identity is signed as the site does it. `defaults` are those of `upgrade-db`.
    """

    command: Sequence[str]
    project: Path
    environ: Mapping[str, str]
    processes: int
    hash_slots: int
    password_method: str
    app_env: str
    cookie_name: str
    sign: Callable[[str], str]
    defaults: UpgradeDefaults
