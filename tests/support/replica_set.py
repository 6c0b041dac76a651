"""Run a replica set on this machine, whose primary can be stepped down, killed or isolated."""

import os
import signal
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pymongo import MongoClient
from pymongo.errors import AutoReconnect, OperationFailure

from quart_enroll.cli.local_mongod import SMALL_FOOTPRINT_OPTIONS, find_mongod
from quart_enroll.system.process import child_process
from tests.support.processes import free_port

SET_NAME = "enroll-three"

STARTUP_SECONDS = 40.0
"""The time in which three mongods start and elect a primary on a busy machine."""

MONGOD_OPTIONS = [*SMALL_FOOTPRINT_OPTIONS, "--setParameter", "enableTestCommands=1"]
"""They enable the command `configureFailPoint`, which makes a mongod fail on purpose."""

SET_SETTINGS = {
    # MongoDB's default of 10 s suits networks. Here the site would have no database for ten seconds; two are as many
    # as the heartbeats of three mongods need on two busy cores.
    "electionTimeoutMillis": 2000,
    "heartbeatIntervalMillis": 500,
}


@dataclass(frozen=True)
class ReplicaSet:
    """A running replica set; `pids` are the process ids of its members by port."""

    pids: dict[int, int]

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.pids)
        return f"mongodb://{hosts}/enroll_tests?replicaSet={SET_NAME}"

    def primary(self) -> int:
        """Return the port of the primary."""
        with MongoClient[dict[str, Any]](self.uri, serverSelectionTimeoutMS=int(STARTUP_SECONDS * 1000)) as client:
            client.admin.command("ping")
            return int(client.address[1]) if client.address else 0

    def step_down(self) -> None:
        """Make the primary step down in an orderly way, as for an upgrade; it remains a member."""
        with _direct_client(self.primary()) as client, suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=5)

    def kill_primary(self) -> None:
        """Kill the primary."""
        _kill([self.pids[self.primary()]])

    @contextmanager
    def primary_alone(self) -> Iterator[None]:
        """Freeze the other members during the block, and kill the primary at its end."""
        primary = self.pids[self.primary()]
        others = [pid for pid in self.pids.values() if pid != primary]
        for pid in others:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            _kill([primary])
            for pid in others:
                os.kill(pid, signal.SIGCONT)


@contextmanager
def replica_set(folder: Path, members: int = 3) -> Iterator[ReplicaSet]:
    """Run a replica set with its data in `folder` during the block."""
    with ExitStack() as stack:
        pids: dict[int, int] = {}
        for _ in range(members):
            port = free_port()
            data = folder / str(port)
            data.mkdir(parents=True)
            command = [
                find_mongod(),
                "--dbpath",
                str(data),
                "--port",
                str(port),
                "--replSet",
                SET_NAME,
                *MONGOD_OPTIONS,
            ]
            with open(folder / f"{port}.log", "wb") as log:
                pids[port] = stack.enter_context(child_process(command, output=log, orphaned=signal.SIGKILL)).pid
        stack.callback(_kill, pids.values())  # on SIGTERM, a primary would wait 15 s for its clients to disconnect
        _initiate(list(pids))
        started_set = ReplicaSet(pids)
        started_set.primary()
        yield started_set


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _initiate(ports: list[int]) -> None:
    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    deadline = time.monotonic() + STARTUP_SECONDS
    while True:
        try:
            with _direct_client(ports[0]) as client:
                client.admin.command("replSetInitiate", {"_id": SET_NAME, "members": members, "settings": SET_SETTINGS})
            return
        except (AutoReconnect, OperationFailure):  # not all three are up yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _direct_client(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=5000)
