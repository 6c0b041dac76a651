"""What commands print when the database fails or refuses."""

import pytest
from pymongo.errors import (
    AutoReconnect,
    ExecutionTimeout,
    NetworkTimeout,
    OperationFailure,
    PyMongoError,
    ServerSelectionTimeoutError,
)

from quart_enroll.db.client import OutcomeUnknown, describe_error

COLL_MOD = "not authorized on school to execute command { collMod: \"course\", $db: 'school' }"
INSERT = 'not authorized on school to execute command { insert: "course" }'

RETRY, UNKNOWN = "TransientTransactionError", "UnknownTransactionCommitResult"


def unsettled(cause: PyMongoError, *labels: str) -> OutcomeUnknown:
    for label in labels:
        cause._add_error_label(label)
    error = OutcomeUnknown()
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            ServerSelectionTimeoutError("127.0.0.1:1: refused"),
            "Can’t reach a server that accepts writes",
        ),
        (OperationFailure("Authentication failed.", 18), "rejected the user name or password in URI"),
        (OperationFailure("bad auth", 8000), "rejected the user name or password in URI"),
        (
            OperationFailure(COLL_MOD, 13),
            "The user in URI may not run collMod on school. That requires the role dbAdmin",
        ),
        (OperationFailure(INSERT, 13), "may not run insert on school. That requires the role readWrite"),
        (OperationFailure("not authorized", 13), "The user in URI may not run this on its database"),
        (
            unsettled(OperationFailure("WriteConflict", 112), RETRY),
            "Another transaction kept the rows locked",
        ),
        (unsettled(OperationFailure("LockTimeout", 24), RETRY), "Another transaction kept the rows locked"),
        (unsettled(OperationFailure("too old", 290), RETRY), "The database took too long"),
        (
            unsettled(NetworkTimeout("timed out"), UNKNOWN),
            "did not confirm the change in time",
        ),
        (OutcomeUnknown(), "The database took too long"),
        (ExecutionTimeout("operation exceeded time limit", 50), "The database took too long"),
        (NetworkTimeout("timed out"), "The database took too long"),
        (AutoReconnect("connection closed"), "The connection to the database was lost"),
        (OperationFailure("no space left"), "The database refused the operation: no space left"),
    ],
)
def test_a_command_prints_what_went_wrong(error: Exception, said: str) -> None:
    sentence = describe_error(error, "URI")
    assert said in sentence
    assert sentence.count("\n") == 0
