"""Addresses of every kind, and what it takes to listen at them and to connect."""

SCHEMES = ["tcp", "tls", "quic", "unix"]


def transport(scheme, certificate, place):
    """Give an address, and the arguments of who listens and of who connects."""
    if scheme == "unix":
        return f"unix://{place}/s", {}, {}
    address = f"{scheme}://127.0.0.1:0"
    if scheme == "tcp":
        return address, {}, {}
    cert, key = certificate
    return address, {"cert": cert, "key": key}, {"authorities": cert}
