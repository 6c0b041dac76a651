"""What a server or `quart --app asgi` loads: the site with the settings of its environment."""

import multiprocessing
import signal

from config import Config
from quart_enroll.app import create_app

if multiprocessing.parent_process() is not None:
    # One of several workers. Heroku sends SIGTERM to every process at once; it would end a worker in the
    # middle of its requests. Hypercorn's parent has another way to stop workers, and so they finish first.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)

app = create_app(Config.from_env())
