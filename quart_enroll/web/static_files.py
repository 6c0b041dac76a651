"""Static files: each has its content's hash in its name, so that browsers keep it for a year.

What is text goes out compressed, since nothing before the site may do that: Bootstrap's 232 kB are 31 on the way.
"""

import gzip
import hashlib
import mimetypes
import re
from pathlib import Path
from typing import Any, cast

from quart import Quart, Response, abort, current_app, request, send_from_directory

STATIC = Path(__file__).parents[1] / "static"
EXTENSION = "quart_enroll.web.static_files"
A_YEAR = "public, max-age=31536000, immutable"
TEXT = (".css", ".js", ".svg")
_HASHED = re.compile(r"(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<suffix>\.[^./]+)")


class Assets:
    """The files of the given folders; where two have the same name, the first folder's is served."""

    def __init__(self, *folders: Path) -> None:
        self._folders: dict[str, Path] = {}
        self._hashed: dict[str, str] = {}
        self._packed: dict[str, bytes] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.is_file() and name not in self._folders:
                    self._folders[name] = folder
                    digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
                    self._hashed[name] = str(Path(name).with_suffix(f".{digest}{path.suffix}"))

    def address(self, name: str) -> str:
        """Return the file's name with the hash; a name that no file has stays as it is."""
        return self._hashed.get(name, name)

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return name in self._folders

    async def serve(self, name: str) -> Response:
        """Answer with the file: by its hashed name for a year, by its plain name to be asked for again."""
        match = _HASHED.fullmatch(name)
        plain = match["stem"] + match["suffix"] if match else name
        current = self._hashed.get(plain) == name
        if not current:
            plain = name
        if plain not in self._folders:
            abort(404)
        if plain.endswith(TEXT) and request.accept_encodings["gzip"]:
            response = Response(self._pack(plain), mimetype=mimetypes.guess_type(plain)[0])
            response.content_encoding = "gzip"
        else:
            response = await send_from_directory(self._folders[plain], plain, conditional=False)
        if plain.endswith(TEXT):
            response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = A_YEAR if current else "no-cache"
        return response

    def _pack(self, name: str) -> bytes:
        """Return the file compressed; it is done once."""
        if name not in self._packed:
            self._packed[name] = gzip.compress((self._folders[name] / name).read_bytes(), mtime=0)
        return self._packed[name]


def init_app(app: Quart, overrides: Path | None) -> None:
    """Serve the static files, a school's own in the folder `static` of `overrides` first."""
    assets = Assets(*([overrides / "static"] if overrides else []), STATIC)
    app.extensions[EXTENSION] = assets

    @app.url_defaults
    def hashed(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values:
            values["filename"] = assets.address(values["filename"])


async def static(filename: str) -> Response:
    """Answer with a static file."""
    return await cast(Assets, current_app.extensions[EXTENSION]).serve(filename)
