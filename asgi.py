"""What a server or `quart --app asgi` loads: the site with the settings of its environment."""

import multiprocessing
import os
import signal
import threading

from config import Config
from quart_enroll import logs

config = Config.from_env()
# Motor reads it once, when it is imported. Fewer threads than connections, and requests would queue for a thread while
# the database is idle; more, and their time would run out while they wait for a connection.
os.environ["MOTOR_MAX_WORKERS"] = str(config.database_pool)

from quart_enroll.app import create_app  # noqa: E402  # after the line above


def end_with(parent: multiprocessing.process.BaseProcess) -> None:
    """Wait for the end of the parent, and end too: nobody else would tell this process to stop."""
    parent.join()
    os._exit(1)


if (parent := multiprocessing.parent_process()) is not None:
    threading.Thread(target=end_with, args=[parent], daemon=True).start()
    # One of several workers. Heroku sends SIGTERM to every process at once; it would end a worker in the
    # middle of its requests. Hypercorn's parent has another way to stop workers, and so they finish first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

logs.begin()
app = create_app(config)
