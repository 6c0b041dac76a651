"""How Hypercorn serves the site: `python -m hypercorn -c file:hypercorn_conf.py asgi:app`."""

import atexit
import logging
import os
import shutil
import tempfile

from config import Config
from quart_enroll import logs

# Each name here becomes an attribute of Hypercorn's configuration and travels to its workers: plain values.
_config = Config.from_env()
logs.begin()
_host = "127.0.0.1" if _config.app_env == "development" else "0.0.0.0"  # noqa: S104  # for Heroku's router

bind = f"{_host}:{_config.port}"
workers = _config.web_concurrency if _config.web_concurrency > 1 else 0  # 0: one process, without a parent
worker_class = "uvloop"  # the asyncio worker ignores graceful_timeout since Python 3.12
graceful_timeout = 25  # seconds; Heroku kills after 30
keep_alive_timeout = 95  # seconds; the router keeps its connections for 90
backlog = 2048  # with Hypercorn's 100, a crowd that arrives at once waits for the network to try again
include_server_header = False
errorlog = logging.getLogger("hypercorn.error")  # in the manner of all other lines
accesslog = None  # costs a sixth of every request; the site logs what matters

if workers:
    # In this folder workers take turns at hashing, and add up what they count; what counts looks for its name when it
    # is imported.
    _folder = tempfile.mkdtemp(prefix="quart-enroll-")
    atexit.register(shutil.rmtree, _folder, ignore_errors=True)
    os.environ["PASSWORD_SLOTS"] = _folder
    # A hash needs 32 MiB. In large pages they cost the system a third of what they do in small ones, and the hash takes
    # 84 ms of a core and not 98. glibc reads this when a worker starts; others know nothing of it.
    os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
    if _config.metrics_token:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = _folder
    del _folder

del Config, _config, _host, atexit, logging, logs, os, shutil, tempfile
