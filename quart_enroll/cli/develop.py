"""`develop`: run the whole site on this machine with its own database, as `make run` does."""

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Mapping
from contextlib import redirect_stdout, suppress
from http.client import HTTPConnection, HTTPException

import click

from quart_enroll.cli.command_context import PROJECT_FOLDER, announced_port, current_site
from quart_enroll.cli.local_mongod import database_uri
from quart_enroll.cli.seed import seed
from quart_enroll.cli.upgrade_db import upgrade_db
from quart_enroll.system.process import child_process

SITE_START_SECONDS = 60.0
"""How long the site may take to respond after its start."""

DEMO_PASSWORD = "enroll-2026"  # noqa: S105  # of the accounts in data/users.json; no secret

SERVER_COMMAND = (sys.executable, "-m", "hypercorn", "-c", "file:hypercorn_conf.py", "asgi:app")


@click.command(short_help="Run the site on this machine.")
@click.option("--browser/--no-browser", default=True, help="Open the site in a browser when it is ready.")
@click.pass_context
def develop(context: click.Context, browser: bool) -> None:
    """Start a database, fill it with demo data, run the server, and open the site in a browser."""
    settings = current_site().config
    if settings["APP_ENV"] != "development":
        raise click.ClickException(
            "This creates demo accounts with a publicly known password. Set APP_ENV=development first."
        )
    port = settings["PORT"]
    _check_port(port)
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if ending != signal.SIGHUP or signal.getsignal(ending) != signal.SIG_IGN:  # keeps nohup working
            signal.signal(ending, signal.default_int_handler)  # each stops the site cleanly
    click.echo("Preparing the database. The first time, this takes about ten seconds.")
    with suppress(KeyboardInterrupt), database_uri(settings["MONGO_URI"], PROJECT_FOLDER) as uri:
        settings["MONGO_URI"] = uri
        _run(context, upgrade_db)
        _run(context, seed, whole_school=True)
        with announced_port(port):
            _serve(port, {**os.environ, "MONGO_URI": uri}, browser=browser)
    click.echo("\nThe site has stopped.")


def _run(context: click.Context, command: click.Command, **options: bool) -> None:
    """Run a command of the site; print its output only if it fails."""
    output = io.StringIO()
    try:
        with redirect_stdout(output):
            context.invoke(command, **options)
    except click.ClickException as error:
        click.echo(f"{output.getvalue()}{error.message}", err=True)
        raise click.ClickException(f"`{command.name}` failed, so the site was not started.") from error


def _serve(port: int, environ: Mapping[str, str], *, browser: bool) -> None:
    """Run the server until this process is stopped; raise ClickException if the server ends first."""
    with child_process(SERVER_COMMAND, environ=environ, cwd=PROJECT_FOLDER) as server:
        deadline = time.monotonic() + SITE_START_SECONDS
        while not _is_ready(port):
            with suppress(subprocess.TimeoutExpired):
                server.wait(0.1)
                raise click.ClickException("The site did not start; see the reason above.")
            if time.monotonic() > deadline:
                raise click.ClickException(f"The site does not respond on port {port}.")
        url = f"http://localhost:{port}/"
        click.echo(f"Quart Enroll is ready: {url}  (press Ctrl-C to stop)\n{_demo_accounts()}\n")
        if browser and _has_display():
            webbrowser.open(url)
        raise click.ClickException(f"The site stopped unexpectedly with status {server.wait()}.")


def _check_port(port: int) -> None:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        raise click.ClickException(
            f"Another program is using port {port}. Choose another: PORT={port + 1} make run"
        ) from None


def _is_ready(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _demo_accounts() -> str:
    people = json.loads((PROJECT_FOLDER / "data" / "users.json").read_text("utf-8"))
    accounts = "\n".join(f"  {person['email']} ({', '.join(person['roles'])})" for person in people)
    return f"The demo school has these accounts, all with the password {DEMO_PASSWORD}:\n{accounts}"


def _has_display() -> bool:
    """Return whether there is a screen that a person may be looking at."""
    screen = sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    return bool(screen) and not os.environ.get("CI")
