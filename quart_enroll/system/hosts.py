"""Host names: which of them are this machine."""

from ipaddress import ip_address


def is_local_host(host: str) -> bool:
    """Return whether the host is this machine: a loopback address or a socket in the file system."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.startswith("/")
