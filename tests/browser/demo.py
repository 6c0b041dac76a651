"""The site with the demo school, for screenshots and Lighthouse."""

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from quart_enroll.cli.local_mongod import local_mongod
from tests.support.processes import quart, server

PROJECT = Path(__file__).parents[2]


@contextmanager
def demo_site() -> Iterator[str]:
    """Serve the demo school from a temporary database, and yield the site's URL."""
    with tempfile.TemporaryDirectory() as folder, local_mongod(Path(folder) / "mongodb") as uri:
        for command in (("upgrade-db",), ("seed", "--demo")):
            done = quart(*command, MONGO_URI=uri)
            if done.returncode:
                sys.exit(f"{done.stdout}{done.stderr}")
        with server(Path(folder) / "log", MONGO_URI=uri, PUBLIC_URL="https://enroll.school.example") as site:
            yield f"http://127.0.0.1:{site.port}"
