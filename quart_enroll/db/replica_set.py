"""Sets up a replica set of one server; without one, MongoDB has neither transactions nor change streams."""

from typing import Any

from pymongo import MongoClient
from pymongo.errors import OperationFailure, PyMongoError
from pymongo.uri_parser import parse_uri

ALREADY_INITIALIZED_CODE = 23


def initiate_replica_set(uri: str) -> None:
    """Make the only server of `uri` a replica set of the name in `uri`, unless it is one already."""
    address = parse_uri(uri)
    (host, port), *_ = address["nodelist"]
    members = [{"_id": 0, "host": f"{host}:{port}"}]
    with MongoClient[dict[str, Any]](host, port, directConnection=True) as client:
        try:
            client.admin.command("replSetInitiate", {"_id": address["options"]["replicaSet"], "members": members})
        except OperationFailure as refusal:
            if refusal.code != ALREADY_INITIALIZED_CODE:
                raise


def has_primary(uri: str, timeout: float) -> bool:
    """Return whether the replica set of `uri` accepts writes within `timeout` seconds."""
    with MongoClient[dict[str, Any]](uri, serverSelectionTimeoutMS=int(timeout * 1000)) as client:
        try:
            client.admin.command("ping")  # only a primary answers it here
        except PyMongoError:
            return False
        return True
