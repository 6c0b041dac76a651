"""The commands of the site: `quart --app asgi NAME`.

They read arguments, call services and print the results, in English only; what the site needs too belongs in services.
"""

from pkgutil import resolve_name

import click
from quart import Quart
from quart.cli import AppGroup

COMMANDS = {
    "appointments": "appointments:appointments",
    "check-seats": "check_seats:check_seats",
    "create-user": "create_user:create_user",
    "develop": "develop:develop",
    "import": "import_files:import_file",
    "password-link": "password_link:password_link",
    "rehearse": "rehearse:rehearse",
    "seed": "seed:seed",
    "sign-out": "sign_out:sign_out",
    "upgrade-db": "upgrade_db:upgrade_db",
}
"""The module and function of each command."""


class CommandGroup(AppGroup):
    """Imports a command only when it is run: the site's processes need none, start faster and use less memory."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return sorted([*super().list_commands(ctx), *COMMANDS])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import and return the command; None if there is none of this name."""
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        command: click.Command = resolve_name(f"{__name__}.{COMMANDS[cmd_name]}")
        return command


def register(app: Quart) -> None:
    """Add the commands to the application."""
    app.cli = CommandGroup(app.name)
