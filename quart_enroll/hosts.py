"""Names of machines."""

from ipaddress import ip_address


def is_this_machine(host: str) -> bool:
    """Return whether what is sent to the host leaves no machine: loopback addresses and sockets of the file system."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.startswith("/")
