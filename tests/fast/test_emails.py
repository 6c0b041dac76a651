"""Spellings of one email address."""

import pytest

from quart_enroll import emails

BOOKS = "ada@bücher.example"


@pytest.mark.parametrize(
    "spelling",
    [
        "Ada@Bücher.example",
        "ada@xn--bcher-kva.example",
        "ADA@XN--BCHER-KVA.EXAMPLE",
        "ada@bu\u0308cher.example",
        "ada@bücher。example",
        " ada@bücher.example\u200b",
        "ａda@bücher.example",
    ],
)
def test_one_address_has_many_spellings(spelling: str) -> None:
    assert emails.canonical(spelling) == emails.canonical(BOOKS)


@pytest.mark.parametrize("other", ["ada@bucher.example", "áda@bücher.example", "ada@bücher.test"])
def test_other_addresses_stay_apart(other: str) -> None:
    assert emails.canonical(other) != emails.canonical(BOOKS)


@pytest.mark.parametrize(
    ("given", "stored", "sent_to"),
    [
        ("Ada@Bu\u0308cher.Example", "Ada@bücher.example", "Ada@xn--bcher-kva.example"),
        ("ada@xn--bcher-kva.example", "ada@bücher.example", "ada@xn--bcher-kva.example"),
        ("ada@straße.example", "ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@school.local", "ada@school.local", "ada@school.local"),
        ("jo\u0301@school.example", "jó@school.example", "jó@school.example"),
        ("a_b@x_y.example", "a_b@x_y.example", "a_b@x_y.example"),
        ("ada@xn--zz.example", "ada@xn--zz.example", "ada@xn--zz.example"),
        ("no address", "no address", "no address"),
    ],
)
def test_a_domain_is_stored_in_unicode_and_sent_to_in_punycode(given: str, stored: str, sent_to: str) -> None:
    assert emails.normalized(given) == stored
    assert emails.in_ascii(stored) == sent_to
    assert emails.canonical(stored) == emails.canonical(given)


def test_what_is_no_address_is_compared_as_text() -> None:
    for text in ("", "@", "a@", "@b", "a@@b", "a@.", "a@xn--", "x" * 300 + "@ü" + "ü" * 300):
        assert emails.canonical(emails.in_ascii(text)) == emails.canonical(text)
        assert text in emails.spellings(text)
