"""The commands of the site: `quart --app asgi NAME`.

They read arguments, call services and print the results, in English only; what the site needs too belongs in services.
"""

from quart import Quart

from quart_enroll.cli.check_seats import check_seats
from quart_enroll.cli.create_user import create_user
from quart_enroll.cli.develop import develop
from quart_enroll.cli.import_files import import_file
from quart_enroll.cli.password_link import password_link
from quart_enroll.cli.rehearse import rehearse
from quart_enroll.cli.seed import seed
from quart_enroll.cli.sign_out import sign_out
from quart_enroll.cli.upgrade_db import upgrade_db


def register(app: Quart) -> None:
    """Add the commands to the application."""
    commands = (check_seats, create_user, develop, import_file, password_link, rehearse, seed, sign_out, upgrade_db)
    for command in commands:
        app.cli.add_command(command)
