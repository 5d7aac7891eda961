"""Links are there after a pause that is longer than QUIC keeps a connection that says nothing."""

import threading
import time

import numpy as np
from transports import SCHEMES, transport

import ndbytes as nb

WAIT = 60
PAUSE = 33


def test_links_last_while_nothing_passes(own, tmp_path):
    links, threads, listeners = [], [], []

    def echo(listener):
        with listener.accept(WAIT) as link:
            for array in link:
                link.send(2 * array)

    for scheme in SCHEMES:
        address, files, trust = transport(scheme, own, tmp_path)
        listener = nb.listen(address, timeout=WAIT, **files)
        listeners.append(listener)
        threads.append(threading.Thread(target=echo, args=[listener], daemon=True))
        threads[-1].start()
        there = listener.address.replace("127.0.0.1", "localhost")
        links.append(nb.connect(there, timeout=WAIT, **trust))
    for pause in [0, PAUSE]:
        time.sleep(pause)
        for scheme, link in zip(SCHEMES, links, strict=True):
            link.send(np.arange(3))
            assert link.recv().tolist() == [0, 2, 4], scheme
    for link, thread, listener in zip(links, threads, listeners, strict=True):
        link.close()
        thread.join(WAIT)
        assert not thread.is_alive()
        listener.close()
