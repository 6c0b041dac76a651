"""A piece of advice, and how its sentences name numbers and times."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["problem", "change", "expect", "fine", "note"]
"""How urgent a piece of advice is, the most urgent first."""


@dataclass(frozen=True, slots=True)
class Advice:
    """A piece of advice: a short title, and sentences that give the figures and what to do."""

    level: Level
    title: str
    text: str


def count(number: int, noun: str, plural: str = "") -> str:
    """Return the number with the noun."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def seconds_text(seconds: float) -> str:
    """Return a response time."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def duration_text(seconds: float) -> str:
    """Return a time that people spend."""
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"
