"""What a server or `quart --app asgi` loads: the site with the settings of its environment."""

import os

from config import Config
from quart_enroll.observability import logging_setup
from quart_enroll.server.supervisor import this_worker

config = Config.from_env()
# Motor reads it once, when it is imported. Fewer threads than connections, and requests would queue for a thread while
# the database is idle; more, and their time would run out while they wait for a connection.
os.environ["MOTOR_MAX_WORKERS"] = str(config.database_pool)

from quart_enroll.app import create_app  # noqa: E402  # after the line above
from quart_enroll.cli.command_context import open_site_database  # noqa: E402

logging_setup.configure()
app = create_app(config, open_database=open_site_database)

if (worker := this_worker()) is not None:
    app.while_serving(worker.report_ready)  # after everything else that begins then
