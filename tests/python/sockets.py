"""Pairs of sockets, and threads that tell what they raised."""

import contextlib
import socket
import threading

WAIT = 30


def tcp_pair():
    with socket.create_server(("127.0.0.1", 0)) as server:
        client = socket.create_connection(server.getsockname(), timeout=WAIT)
        accepted, _ = server.accept()
    accepted.settimeout(WAIT)
    return client, accepted


@contextlib.contextmanager
def running(function, *args):
    """Run a function in a thread; raise here what it raised there."""
    problem = []

    def body():
        try:
            function(*args)
        except BaseException as error:
            problem.append(error)

    thread = threading.Thread(target=body, daemon=True)
    thread.start()
    yield
    thread.join(WAIT)
    assert not thread.is_alive()
    if problem:
        raise problem[0]


@contextlib.contextmanager
def tls_pair(contexts):
    server_context, client_context = contexts
    raw_client, raw_server = tcp_pair()
    wrapped = []

    def serve():
        wrapped.append(server_context.wrap_socket(raw_server, server_side=True))

    with running(serve):
        client = client_context.wrap_socket(raw_client, server_hostname="localhost")
    with client, wrapped[0]:
        yield client, wrapped[0]
