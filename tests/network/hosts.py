"""Two hosts made of network namespaces, and a cable between them that loses packets."""

import contextlib
import os
import re
import shutil
import subprocess
import threading
import time
from dataclasses import dataclass

WAIT = 20
# Of a hundred packets that arrive at either host, so many are dropped.
LOST = 3
RATE = "40mbit"

PROGRAMS = [
    ("ip", "iproute2"),
    ("tc", "iproute2"),
    ("nft", "nftables"),
    ("nsenter", "util-linux"),
    ("openssl", "openssl"),
]

RULES = f"""
table inet loss {{
    chain arriving {{
        type filter hook input priority 0; policy accept;
        iifname "lo" accept
        numgen random mod 100 < {LOST} counter drop
    }}
}}
"""


@dataclass
class Host:
    """A network namespace, its address and its end of the cable."""

    name: str
    address: str
    device: str

    def command(self, *words):
        """Return the command that runs there. It becomes the program, so that a signal meets it."""
        return ["nsenter", f"--net=/run/netns/{self.name}", *map(str, words)]

    def dropped(self):
        """Return how many packets were dropped on their way in."""
        listing = run(*self.command("nft", "list", "ruleset"))
        return int(re.search(r"counter packets (\d+)", listing).group(1))


@dataclass
class Pair:
    """Both hosts."""

    sender: Host
    receiver: Host

    def __post_init__(self):
        self.pulled = threading.Lock()

    def pull(self, seconds):
        """Pull the cable out for a moment; whoever else wants to do so waits."""
        with self.pulled:
            end = ("ip", "-n", self.sender.name, "link", "set", self.sender.device)
            run(*end, "down")
            try:
                time.sleep(seconds)
            finally:
                run(*end, "up")


def run(*words, **kwargs):
    """Run a command that has to work, and return what it printed."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=WAIT, **kwargs)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def missing():
    """Say why there can be no hosts here, or return None."""
    for program, package in PROGRAMS:
        if shutil.which(program) is None:
            return f"there is no {program} ({package}); tools/network.sh installs it"
    try:
        with pair():
            return None
    except RuntimeError as error:
        return f"no hosts of network namespaces can be made here: {error}"


@contextlib.contextmanager
def pair():
    """Make both hosts and the cable, and remove them afterwards."""
    own = os.getpid()
    sender = Host(f"ndbytes-{own}-sender", "10.77.0.1", "to-receiver")
    receiver = Host(f"ndbytes-{own}-receiver", "10.77.0.2", "to-sender")
    with contextlib.ExitStack() as stack:
        for host in (sender, receiver):
            run("ip", "netns", "add", host.name)
            stack.callback(run, "ip", "netns", "del", host.name)
        end = ("peer", "name", receiver.device, "netns", receiver.name)
        run("ip", "-n", sender.name, "link", "add", sender.device, "type", "veth", *end)
        for host in (sender, receiver):
            ip = ("ip", "-n", host.name)
            run(*ip, "addr", "add", f"{host.address}/24", "dev", host.device)
            # What leaves as one of 64 KiB would be dropped as one.
            run(*ip, "link", "set", host.device, "gso_max_segs", "1")
            for device in ("lo", host.device):
                run(*ip, "link", "set", device, "up")
            shape = ("tbf", "rate", RATE, "burst", "64kb", "latency", "100ms")
            run("tc", "-n", host.name, "qdisc", "add", "dev", host.device, "root", *shape)
            run(*host.command("nft", "-f", "-"), input=RULES)
        yield Pair(sender, receiver)
