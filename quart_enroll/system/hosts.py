"""Tells which host names mean this machine."""

from ipaddress import ip_address


def is_local_host(host: str) -> bool:
    """Return whether the host is a loopback IP, localhost, or a Unix socket."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost" or host.startswith("/")
