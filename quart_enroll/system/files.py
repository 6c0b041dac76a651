"""Files with a small secret or setting that is generated once."""

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path


def read_or_create(path: Path, make: Callable[[], str]) -> str:
    """Return the text of the file `path`; if there is no such file, create it with what `make` returns.

    Processes that call this at the same time get the same text. Only the file's owner can read it.
    """
    if not path.exists():
        draft = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
        try:
            with open(draft, "x", opener=lambda name, flags: os.open(name, flags, 0o600)) as file:
                file.write(make())
            with suppress(FileExistsError):  # another process was faster; use its text
                os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    return path.read_text().strip()
