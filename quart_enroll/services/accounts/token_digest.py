"""The digest under which tokens and sign-ins are stored, so that the database does not reveal them."""

from hashlib import sha256

TOKEN_BYTES = 32
"""Random bytes in the token of a link."""


def token_digest(token: str) -> str:
    """Return the SHA-256 digest of a token in hexadecimal.

    Tokens are long and random, so they can't be guessed, and a fast hash protects them as well as a slow one.
    """
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
