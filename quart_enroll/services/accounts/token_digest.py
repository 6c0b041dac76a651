"""The digest under which tokens and sign-ins are stored, so that nobody can read them from the database."""

from hashlib import sha256


def token_digest(token: str) -> str:
    """Return the SHA-256 digest of a token in hexadecimal.

    Tokens are long and random, so nobody can find one by trying: a fast hash protects them as well as a slow one.
    """
    return sha256(token.encode("utf-8", "surrogatepass")).hexdigest()
