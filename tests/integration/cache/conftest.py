"""The caches of the site, which rely on change streams."""

import pytest

from quart_enroll.db import change_streams


@pytest.fixture(autouse=True)
def quick_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let MongoDB respond soon without changes too: a process uses its caches only after the first response."""
    monkeypatch.setattr(change_streams, "MAX_AWAIT_MILLISECONDS", 50)
