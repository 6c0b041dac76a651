"""Which proxies the site trusts about the visitor's IP address and scheme."""

import pytest

from quart_enroll.web.proxies import trust

PEER = ("10.0.0.9", 4711)


def seen(hops: int, *headers: tuple[str, str]) -> tuple[str, str]:
    """Return the IP address and the scheme that the site sees."""
    raw = [(name.encode(), value.encode()) for name, value in headers]
    scope = trust({"type": "http", "scheme": "http", "client": PEER, "headers": raw}, hops)
    return scope["client"][0], scope["scheme"]


@pytest.mark.parametrize(
    ("hops", "forwarded", "ip"),
    [
        (1, "192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6, 192.0.2.1", "192.0.2.1"),
        (1, "6.6.6.6,192.0.2.1 ", "192.0.2.1"),
        (1, "2001:db8::1", "2001:db8::1"),
        (1, "[2001:db8::1]:5000", "2001:db8::1"),
        (1, "192.0.2.1:5000", "192.0.2.1"),
        (2, "6.6.6.6, 192.0.2.1, 10.0.0.7", "192.0.2.1"),
        (2, "192.0.2.1", PEER[0]),
        (1, "6.6.6.6, nonsense", PEER[0]),
        (1, "", PEER[0]),
        (0, "6.6.6.6", PEER[0]),
    ],
)
def test_the_client_ip_comes_from_the_trusted_proxies(hops: int, forwarded: str, ip: str) -> None:
    assert seen(hops, ("X-Forwarded-For", forwarded))[0] == ip


def test_repeated_forwarded_headers_are_joined() -> None:
    assert seen(1, ("X-Forwarded-For", "6.6.6.6"), ("x-forwarded-for", "192.0.2.1"))[0] == "192.0.2.1"


@pytest.mark.parametrize(
    ("hops", "forwarded", "scheme"),
    [
        (1, "https", "https"),
        (1, "http, https", "https"),
        (1, "https, http", "http"),
        (1, "evil", "http"),
        (0, "https", "http"),
    ],
)
def test_the_scheme_comes_from_the_last_proxy(hops: int, forwarded: str, scheme: str) -> None:
    assert seen(hops, ("X-Forwarded-Proto", forwarded))[1] == scheme


def test_a_forwarded_host_and_quarts_own_remote_addr_header_are_ignored() -> None:
    made_up = [(b"Remote-Addr", b"6.6.6.6"), (b"X-Forwarded-Host", b"evil.example"), (b"host", b"school.example")]
    headers = trust({"type": "http", "scheme": "http", "client": PEER, "headers": made_up}, 1)["headers"]
    assert dict(headers)[b"host"] == b"school.example"
    assert b"Remote-Addr" not in dict(headers)
