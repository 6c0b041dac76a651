"""Email addresses: spellings that are one address, and how it is stored and sent to.

Nothing here judges an address; what is none is compared as text.
"""

import unicodedata
from collections.abc import Callable

import idna

from quart_enroll.domain import folding


def canonical(email: str) -> str:
    """Return what all spellings of an address have in common, whatever their case and the encoding of the domain."""
    local, at, domain = unicodedata.normalize("NFKC", folding.visible(email)).strip().rpartition("@")
    return f"{folding.key(local)}{at}{_in_unicode(domain.lower())}"


def normalized(email: str) -> str:
    """Return the address as a new account gets it: the domain in small letters and in Unicode."""
    local, at, domain = unicodedata.normalize("NFC", folding.visible(email)).strip().rpartition("@")
    return f"{local}{at}{_in_unicode(domain.lower())}"


def in_ascii(email: str) -> str:
    """Return the address with a domain that every mail server can read, in Punycode."""
    local, at, domain = email.rpartition("@")
    return f"{local}{at}{_by_label(domain, _to_ascii)}"


def spellings(email: str) -> list[str]:
    """Return the ways in which the address may be stored, apart from capitals."""
    same = canonical(email)
    return list(dict.fromkeys([email, same, in_ascii(same)]))


def _in_unicode(domain: str) -> str:
    return _by_label(domain, _to_unicode).lower()


def _by_label(domain: str, convert: Callable[[str], str]) -> str:
    """Return the domain with each part that has letters beyond ASCII converted; one that is not valid stays."""
    labels = domain.replace("。", ".").split(".")
    return ".".join(label if label.isascii() and not label.startswith("xn--") else convert(label) for label in labels)


def _to_ascii(label: str) -> str:
    try:
        return idna.encode(label, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return label


def _to_unicode(label: str) -> str:
    try:
        return idna.decode(idna.encode(label, uts46=True))
    except (idna.IDNAError, UnicodeError):
        return label
