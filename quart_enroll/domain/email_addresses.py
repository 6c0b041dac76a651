"""Email addresses: which spellings are the same address, and how an address is stored and sent to.

Nothing here validates an address; invalid ones are compared as text.
"""

import unicodedata
from collections.abc import Callable

import idna

from quart_enroll.domain import folding


def canonical(email: str) -> str:
    """Return the same key for all spellings of an address, ignoring case and the encoding of the domain."""
    local, at, domain = unicodedata.normalize("NFKC", folding.visible(email)).strip().rpartition("@")
    return f"{folding.key(local)}{at}{_in_unicode(domain.lower())}"


def normalized(email: str) -> str:
    """Return the address as a new account stores it: with its domain in lower case and in Unicode."""
    local, at, domain = unicodedata.normalize("NFC", folding.visible(email)).strip().rpartition("@")
    return f"{local}{at}{_in_unicode(domain.lower())}"


def in_ascii(email: str) -> str:
    """Return the address with a domain that every mail server can read, in Punycode."""
    local, at, domain = email.rpartition("@")
    return f"{local}{at}{_by_label(domain, _to_ascii)}"


def spellings(email: str) -> list[str]:
    """Return the forms in which the address may be stored, apart from upper case."""
    same = canonical(email)
    return list(dict.fromkeys([email, same, in_ascii(same)]))


def _in_unicode(domain: str) -> str:
    return _by_label(domain, _to_unicode).lower()


def _by_label(domain: str, convert: Callable[[str], str]) -> str:
    """Return the domain with each label beyond ASCII converted; an invalid one stays."""
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
