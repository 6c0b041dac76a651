"""What the class of every refusal must define."""

from collections import Counter

import pytest

from quart_enroll.api.v1.codes import CODES, HTTP_CODES
from quart_enroll.domain.errors import Busy, Refused, all_refusals

KINDS = [*all_refusals(), Busy]


def test_codes_are_unique() -> None:
    counts = Counter([*HTTP_CODES, *(kind.code for kind in KINDS)])
    assert [code for code, count in counts.items() if count > 1] == []


@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_has_a_code_of_its_own_that_the_api_documents(kind: type[Refused]) -> None:
    assert {"code", "meaning"} <= vars(kind).keys()
    assert kind.code.isidentifier()
    assert CODES[kind.code] == kind.meaning
    assert kind.meaning.endswith(".")


@pytest.mark.parametrize("kind", [kind for kind in all_refusals() if kind.is_recorded])
def test_every_recorded_refusal_has_a_reason_for_the_history(kind: type[Refused]) -> None:
    assert kind.history_reason is not None


@pytest.mark.parametrize("kind", KINDS)
def test_every_refusal_has_a_status_of_http(kind: type[Refused]) -> None:
    assert type(kind.status) is int
    assert 400 <= kind.status < 600
