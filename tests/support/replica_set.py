"""Mongods on this machine as one replica set, whose primary can step down, be killed, or be isolated."""

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

NAME = "enroll-three"

ELECTION_SECONDS = 40.0
"""How long three mongods may take to start and elect a primary on a busy machine."""

OPTIONS = [*SMALL_FOOTPRINT_OPTIONS, "--setParameter", "enableTestCommands=1"]
"""They enable the command `configureFailPoint`, which makes a mongod fail on request."""

SETTINGS = {
    # MongoDB's own 10 s is for networks. Here it would be ten seconds in which the test looks at a site without a
    # database; two are as many as the heart beats of three mongods and a crowd need on two cores.
    "electionTimeoutMillis": 2000,
    "heartbeatIntervalMillis": 500,
}


@dataclass(frozen=True)
class ReplicaSet:
    """Mongods; `pids` are their processes by port."""

    pids: dict[int, int]

    @property
    def uri(self) -> str:
        hosts = ",".join(f"127.0.0.1:{port}" for port in self.pids)
        return f"mongodb://{hosts}/enroll_tests?replicaSet={NAME}"

    def primary(self) -> int:
        """Return the port of the mongod that accepts writes."""
        with MongoClient[dict[str, Any]](self.uri, serverSelectionTimeoutMS=int(ELECTION_SECONDS * 1000)) as client:
            client.admin.command("ping")
            return int(client.address[1]) if client.address else 0

    def step_down(self) -> None:
        """Let the primary step down, as for an upgrade; it stays in the set."""
        with _directly(self.primary()) as client, suppress(AutoReconnect):
            client.admin.command("replSetStepDown", 20, secondaryCatchUpPeriodSecs=5)

    def kill_primary(self) -> None:
        """Kill the primary."""
        _kill([self.pids[self.primary()]])

    @contextmanager
    def primary_alone(self) -> Iterator[None]:
        """Isolate the primary during the block: the others freeze; at its end, the primary is killed."""
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
    """Run mongods with their data in `folder` for as long as the block lasts."""
    with ExitStack() as stack:
        pids: dict[int, int] = {}
        for _ in range(members):
            port = free_port()
            data = folder / str(port)
            data.mkdir(parents=True)
            command = [find_mongod(), "--dbpath", str(data), "--port", str(port), "--replSet", NAME, *OPTIONS]
            with open(folder / f"{port}.log", "wb") as log:
                pids[port] = stack.enter_context(child_process(command, output=log, orphaned=signal.SIGKILL)).pid
        stack.callback(_kill, pids.values())  # told to stop, a primary would wait 15 s for its clients to go
        _initiate(list(pids))
        made = ReplicaSet(pids)
        made.primary()
        yield made


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGKILL)


def _initiate(ports: list[int]) -> None:
    members = [{"_id": number, "host": f"127.0.0.1:{port}"} for number, port in enumerate(ports)]
    deadline = time.monotonic() + ELECTION_SECONDS
    while True:
        try:
            with _directly(ports[0]) as client:
                client.admin.command("replSetInitiate", {"_id": NAME, "members": members, "settings": SETTINGS})
            return
        except (AutoReconnect, OperationFailure):  # not all three are up yet
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def _directly(port: int) -> MongoClient[dict[str, Any]]:
    return MongoClient("127.0.0.1", port, directConnection=True, serverSelectionTimeoutMS=5000)
