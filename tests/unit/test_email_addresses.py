"""Different spellings of one email address."""

import pytest

from quart_enroll.domain import email_addresses

UNICODE_DOMAIN = "ada@bücher.example"


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
def test_one_email_has_many_spellings(spelling: str) -> None:
    assert email_addresses.canonical(spelling) == email_addresses.canonical(UNICODE_DOMAIN)


@pytest.mark.parametrize("other", ["ada@bucher.example", "áda@bücher.example", "ada@bücher.test"])
def test_different_emails_stay_different(other: str) -> None:
    assert email_addresses.canonical(other) != email_addresses.canonical(UNICODE_DOMAIN)


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
    assert email_addresses.normalized(given) == stored
    assert email_addresses.in_ascii(stored) == sent_to
    assert email_addresses.canonical(stored) == email_addresses.canonical(given)


def test_a_malformed_email_is_compared_as_text() -> None:
    for text in ("", "@", "a@", "@b", "a@@b", "a@.", "a@xn--", "x" * 300 + "@ü" + "ü" * 300):
        assert email_addresses.canonical(email_addresses.in_ascii(text)) == email_addresses.canonical(text)
        assert text in email_addresses.spellings(text)
