"""Request IDs, which lead from a response to the log."""

import random
import re


def choose_request_id(given: str) -> str:
    """Return the ID that the router gave the request, or a random one."""
    return given if re.fullmatch(r"[\w-]{8,64}", given, re.ASCII) else f"{random.getrandbits(64):016x}"
