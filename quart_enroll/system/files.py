"""Small secrets and addresses that are made once and kept in a file."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """Return the text of the file `path`; what `make` gives, when there is no such file yet.

    Processes that ask at the same time get the same text. Only the owner of the file can read it.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(make())
            with suppress(FileExistsError):  # somebody was quicker: theirs counts
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text().strip()
