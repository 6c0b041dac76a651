"""Request IDs, which lead from a response to the log."""

import random
import re

_GIVEN_ID = re.compile(r"[\w-]{8,64}", re.ASCII)


def choose_request_id(given: str) -> str:
    """Return the ID that the router gave the request, or a random one."""
    return given if given and _GIVEN_ID.fullmatch(given) else f"{random.getrandbits(64):016x}"
