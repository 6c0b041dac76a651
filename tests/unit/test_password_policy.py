"""Which passwords users may choose."""

import pytest

from quart_enroll.domain.errors import PasswordRefused
from quart_enroll.services.accounts.password_policy import _common_passwords, check_new_password
from tests.support.people import PASSWORD


def choose(password: str, first_name: str = "Ada") -> None:
    check_new_password(password, email="ada.w@school.example", first_name=first_name, last_name="Winters")


def test_the_list_has_more_than_the_10_000_commonest_that_could_be_chosen() -> None:
    assert len(_common_passwords()) > 10_000
    assert min(len(word) for word in _common_passwords()) >= 8


@pytest.mark.parametrize(
    "password",
    [
        "password1",
        "PassWord1",
        "baseball",
        "1234567890",
        "qwertyuiop",
        "ｐａｓｓｗｏｒｄ1",
        " trustno1 ",
        "Jennifer",
        "chocolate",
    ],
)
def test_a_common_password_is_refused_however_it_is_written(password: str) -> None:
    with pytest.raises(PasswordRefused, match="That password is too common"):
        choose(password)


@pytest.mark.parametrize(
    "password",
    [
        "ada.w@school.example",
        "ADA.W@SCHOOL.EXAMPLE",
        "AdaWinters",
        "winters ada",
        "Winters2026!",
        "!!ada-winters!!",
        "adaADAada1",
        "school-2026",
        "99winters99ab",
    ],
)
def test_a_password_derived_from_name_or_email_is_refused(password: str) -> None:
    with pytest.raises(PasswordRefused, match="Don’t use your name or email"):
        choose(password)


@pytest.mark.parametrize(
    "password",
    [
        PASSWORD,
        "Ada likes winters",
        "canada-81!",
        "8412973650",
        "!§$%&/()=?",
        "пароль для Ады",
        "🐎🔋📎🐎🔋📎🐎🔋",
        "  eight  ",
        "x" * 8,
    ],
)
def test_any_other_password_can_be_chosen(password: str) -> None:
    choose(password)


def test_letters_of_a_short_name_do_not_count_as_the_name() -> None:
    choose("delightful-99", first_name="D")
    with pytest.raises(PasswordRefused):
        choose("李小龙-2026-ada", first_name="李小龙")
