"""Which emails a student gets, and when."""

from datetime import UTC, datetime

import pytest

from quart_enroll.domain.email_settings import DIGEST, EmailKind, EmailSettings, EmailTiming, next_digest_at
from quart_enroll.services.notifications.messages import CONFIRMED_CHANGES, SEAT_SUBJECTS

ALL_OFF = EmailSettings(**dict.fromkeys(EmailKind, EmailTiming.OFF))
AT_ONCE, DAILY, OFF = EmailTiming


def test_only_emails_of_a_kind_can_be_turned_off() -> None:
    mandatory = {action for action in (*SEAT_SUBJECTS, "password_changed") if ALL_OFF.timing(action) is AT_ONCE}
    assert mandatory == {"promote", "cancelled", "staff", "no_show", "permit", "consent", "password_changed"}
    assert {ALL_OFF.timing(action) for action in CONFIRMED_CHANGES} == {OFF}


def test_what_is_stored_is_read_again_and_anything_else_means_right_away() -> None:
    settings = EmailSettings(confirmation=DAILY, alert=OFF)
    assert settings.chosen == {"confirmation": "daily", "alert": "off"}
    assert EmailSettings.read(settings.chosen) == settings
    for stored in (None, "off", {}, {"alert": "daily"}, {"alert": ["off"]}, {"section_change": "weekly"}):
        assert EmailSettings.read(stored) == EmailSettings()


def test_a_link_turns_off_its_own_emails_alone() -> None:
    settings = EmailSettings(confirmation=DAILY, waitlist=DAILY)
    assert settings.without(EmailKind.ALERT) == EmailSettings(confirmation=DAILY, waitlist=DAILY, alert=OFF)
    assert settings.without(DIGEST) == EmailSettings(confirmation=OFF, waitlist=OFF)


@pytest.mark.parametrize(
    ("after", "timezone", "due"),
    [
        ("2026-09-01T10:59", "America/New_York", "2026-09-01T11:00"),
        ("2026-09-01T11:00", "America/New_York", "2026-09-02T11:00"),
        ("2026-09-01T23:30", "Asia/Tokyo", "2026-09-02T22:00"),
        ("2026-10-31T12:00", "America/New_York", "2026-11-01T12:00"),  # after the clocks go back
    ],
)
def test_a_digest_is_due_at_seven_by_the_readers_clock(after: str, timezone: str, due: str) -> None:
    moment = datetime.fromisoformat(after).replace(tzinfo=UTC)
    assert next_digest_at(moment, timezone).isoformat(timespec="minutes") == f"{due}+00:00"
