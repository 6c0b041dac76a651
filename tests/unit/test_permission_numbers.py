"""What permission numbers look like, and what becomes of them."""

from dataclasses import replace
from datetime import timedelta

from quart_enroll.domain import permits
from quart_enroll.domain.actors import Override
from quart_enroll.domain.models import SectionKey
from quart_enroll.domain.permission_numbers import NUMBER_OVERRIDES, UNUSED, PermissionNumber, read_code, write_code
from quart_enroll.services.staff.permission_numbers import _new_code
from tests.concurrency.school import FALL, NOW


def test_a_code_is_read_as_people_write_it() -> None:
    assert write_code("4K7M2PXW9TRC") == "4K7M-2PXW-9TRC"
    assert read_code("4k7m-2pxw 9trc") == "4K7M2PXW9TRC"
    assert read_code("oOiIlL") == "001111"
    code = _new_code()
    assert read_code(write_code(code).lower()) == code
    assert len({_new_code() for _ in range(1000)}) == 1000


def test_a_number_never_sets_aside_what_concerns_more_than_its_section() -> None:
    assert {*NUMBER_OVERRIDES} == {
        Override.FULL,
        Override.REQUISITES,
        Override.RESTRICTION,
        Override.REPEAT,
        Override.CONSENT,
        Override.RESERVED_SEATS,
    }


def test_staff_read_what_has_become_of_a_number() -> None:
    facts = SectionKey(FALL, "A", "01"), frozenset({Override.FULL}), NOW + timedelta(1), NOW, 9, "Asked"
    unused = PermissionNumber("4K7M2PXW9TRC", *facts, by_registrar=False)
    assert unused.state(NOW) is UNUSED
    assert unused.state(unused.expires_at) is permits.EXPIRED
    assert replace(unused, is_revoked=True).state(unused.expires_at) is permits.REVOKED
    assert replace(unused, used_by=7).state(unused.expires_at) is permits.USED
