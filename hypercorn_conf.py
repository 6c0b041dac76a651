"""The configuration of Hypercorn: `python -m hypercorn -c file:hypercorn_conf.py asgi:app`."""

import logging
import os
import sys

from config import Config
from quart_enroll.observability import logging_setup
from quart_enroll.server import connections
from quart_enroll.server.supervisor import shared_folder, supervise, this_worker

# Each name here becomes an attribute of Hypercorn's configuration: plain values.
_config = Config.from_env()
logging_setup.configure()
_host = "127.0.0.1" if _config.app_env == "development" else "0.0.0.0"  # noqa: S104  # for Heroku's router

bind = [f"{_host}:{_config.port}"]
workers = 0  # when one of Hypercorn's own dies, it stops the others with status 0; `supervise` replaces it
worker_class = "uvloop"  # the asyncio worker ignores graceful_timeout since Python 3.12
graceful_timeout = 23  # seconds, after DRAIN_SECONDS; Heroku kills 30 seconds after SIGTERM
keep_alive_timeout = 95  # seconds; the router keeps its connections for 90
backlog = 2048  # with Hypercorn's 100, clients that arrive all at once wait for TCP retransmissions
include_server_header = False
alpn_protocols = ["http/1.1"]  # the only protocol of server/connections
errorlog = logging.getLogger("hypercorn.error")  # in the same format as all other lines
accesslog = None  # costs a sixth of every request; the site logs what matters

if (_worker := this_worker()) is not None:
    bind = _worker.binds
    _worker.end_with_supervisor(os.environ["PASSWORD_SLOTS"])  # before the site is loaded, which takes seconds
elif _config.web_concurrency > 1:
    # This process becomes the supervisor. Each worker runs the same command and skips this branch.
    with shared_folder() as _folder:
        # Workers share this folder to take turns at hashing and to add up their metrics. The metrics client reads its
        # variable when it is imported.
        os.environ["PASSWORD_SLOTS"] = str(_folder)
        # A hash needs 32 MiB. With huge pages, allocating them costs the system a third, and the hash takes 84 ms of a
        # core instead of 98. glibc reads this when a worker starts; other C libraries ignore it.
        os.environ.setdefault("GLIBC_TUNABLES", "glibc.malloc.hugetlb=1")
        if _config.metrics_token:
            os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(_folder)
        _stop_seconds = connections.DRAIN_SECONDS + graceful_timeout + 2
        sys.exit(supervise(bind, _folder, number=_config.web_concurrency, stop_seconds=_stop_seconds))

connections.install(connections.raise_file_limit())

del Config, _config, _host, _worker, logging, logging_setup, os, shared_folder, supervise, sys, connections, this_worker
