"""The application that servers and `quart --app asgi` load, with settings from the environment."""

import gc
import os

from config import Config
from quart_enroll.observability import logging_setup
from quart_enroll.server.connections import client_connections
from quart_enroll.server.supervisor import this_worker

config = Config.from_env()
# Motor reads this once, when it is imported. With fewer threads than connections, requests would queue for a thread
# while the database is idle; with more, they would time out while waiting for a connection.
os.environ["MOTOR_MAX_WORKERS"] = str(config.database_pool)

from quart_enroll.app import create_app  # noqa: E402  # must follow the line above
from quart_enroll.cli.command_context import open_site_database  # noqa: E402
from quart_enroll.i18n.language import load_translations  # noqa: E402

logging_setup.configure()
app = create_app(config, open_database=open_site_database)

if config.app_env == "production":
    app.while_serving(client_connections().drain_at_sigterm)  # elsewhere there is no router
    load_translations()
if (worker := this_worker()) is not None:
    app.while_serving(worker.report_ready)  # after everything else that starts with serving

gc.freeze()  # everything loaded so far: searching it for garbage takes 85 ms, and no request is answered meanwhile
