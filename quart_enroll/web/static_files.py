"""Static files, whose names contain a hash of their content, so that browsers keep them for a year.

Text is sent compressed, since there may be no proxy that does so: Bootstrap's 232 kB become 31.
"""

import gzip
import hashlib
import mimetypes
import re
from pathlib import Path
from typing import Any, cast

from quart import Quart, Response, abort, current_app, request, send_file

STATIC = Path(__file__).parents[1] / "static"
EXTENSION = "quart_enroll.web.static_files"
IMMUTABLE = "public, max-age=31536000, immutable"
TEXT_SUFFIXES = (".css", ".js", ".svg")
_HASHED = re.compile(r"(?P<stem>.+)\.(?P<hash>[0-9a-f]{12})(?P<suffix>\.[^./]+)")


LOGO = "school-logo"
"""The name of the school's logo, without its suffix."""


class StaticFiles:
    """The files of the given folders; where two have the same name, the first folder's is served.

    `logo` is the school's own, from any place; `logo_name` is its name here, or that of the site's own.
    """

    def __init__(self, *folders: Path, logo: Path | None = None) -> None:
        self._paths: dict[str, Path] = {}
        self._hashed: dict[str, str] = {}
        self._compressed: dict[str, bytes] = {}
        for folder in folders:
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.is_file() and name not in self._paths:
                    self._add(name, path)
        self.logo_name = f"{LOGO}{logo.suffix}" if logo else "favicon.svg"
        if logo:
            self._add(self.logo_name, logo)

    def _add(self, name: str, path: Path) -> None:
        self._paths[name] = path
        digest = hashlib.sha256(path.read_bytes()).hexdigest()[:12]
        self._hashed[name] = str(Path(name).with_suffix(f".{digest}{path.suffix}"))

    def hashed_name(self, name: str) -> str:
        """Return the file's name with its hash, or the name itself if there is no such file."""
        return self._hashed.get(name, name)

    def has(self, name: str) -> bool:
        """Tell whether there is such a file."""
        return name in self._paths

    async def serve(self, name: str) -> Response:
        """Return the file: cached for a year under its hashed name, and revalidated under its plain name."""
        match = _HASHED.fullmatch(name)
        plain = match["stem"] + match["suffix"] if match else name
        current = self._hashed.get(plain) == name
        if not current:
            plain = name
        if plain not in self._paths:
            abort(404)
        if plain.endswith(TEXT_SUFFIXES) and request.accept_encodings["gzip"]:
            response = Response(self._compress(plain), mimetype=mimetypes.guess_type(plain)[0])
            response.content_encoding = "gzip"
        else:
            response = await send_file(self._paths[plain], conditional=False)
        if plain.endswith(TEXT_SUFFIXES):
            response.vary.add("Accept-Encoding")
        response.headers["Cache-Control"] = IMMUTABLE if current else "no-cache"
        return response

    def _compress(self, name: str) -> bytes:
        """Return the compressed file, which is created once."""
        if name not in self._compressed:
            self._compressed[name] = gzip.compress(self._paths[name].read_bytes(), mtime=0)
        return self._compressed[name]


def init_app(app: Quart, overrides: Path | None, logo: Path | None) -> None:
    """Serve the static files, a school's own in the folder `static` of `overrides` first, and its logo."""
    files = StaticFiles(*([overrides / "static"] if overrides else []), STATIC, logo=logo)
    app.extensions[EXTENSION] = files
    app.jinja_env.globals["school_logo"] = files.logo_name

    @app.url_defaults
    def hashed(endpoint: str, values: dict[str, Any]) -> None:
        if endpoint == "static" and "filename" in values:
            values["filename"] = files.hashed_name(values["filename"])


async def static(filename: str) -> Response:
    """Return a static file."""
    return await cast(StaticFiles, current_app.extensions[EXTENSION]).serve(filename)
