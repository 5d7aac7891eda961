"""Files and arrays between two hosts that lose packets, cables and lives arrive whole, and once.

``NDBYTES_TRANSFERS`` says how many transfers of files there are.
"""

import collections
import contextlib
import itertools
import os
import random
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import ndbytes as nb

ROOT = Path(__file__).parents[2]
COMMAND = ROOT / "target" / "release" / "ndbytes"
PEER = Path(__file__).with_name("peer.py")

TRANSFERS = int(os.environ.get("NDBYTES_TRANSFERS", "200"))
ARRAYS = 300
# How many receivers there are, each with a folder, and somebody who sends to it.
LANES = {"tcp": 4, "tls": 4, "quic": 10}
# Of all transfers, so many go over each.
SHARES = {"tcp": 3 / 10, "tls": 2 / 10, "quic": 5 / 10}
# Silence after which a receiver lets go of who was killed, and after which a sender does.
RECEIVER_WAITS, SENDER_WAITS = 2, 3
# No attempt takes longer, and no transfer with all of its attempts.
ATTEMPT, TRANSFER = 30, 60
# What a receiver believes to be on its way is refused until it lets go of who was killed.
PAUSE = 0.1
# All of it takes no longer.
BOUND = 60 + TRANSFERS

pytestmark = [
    pytest.mark.skipif(not COMMAND.exists(), reason="the command is not built"),
    pytest.mark.timeout(BOUND + 60),
]


class Lane:
    """A receiver with a folder of its own, and who sends to it, one transfer after another."""

    def __init__(self, hosts, place, kind, number, count, certificate):
        self.hosts, self.place = hosts, place
        self.random = random.Random(f"{kind} {number}")
        self.count = count
        # The hosts are ours, and so are their ports.
        self.address = f"{kind}://{hosts.receiver.address}:{7000 + number}"
        secure = kind != "tcp"
        self.listening = ["--cert", certificate[0], "--key", certificate[1]] if secure else []
        self.connecting = ["--ca", certificate[0]] if secure else []
        self.folder, self.source = place / "in", place / "out"
        self.source.mkdir(parents=True)
        self.said = place / "receiver.log"
        self.right = {}
        self.seen = collections.Counter()
        self.messages = collections.Counter()
        self.receiver = None

    def run(self, deadline):
        """Make all transfers; each is done when its sender says so."""
        self.start()
        try:
            for number in range(self.count):
                paths = self.make(number)
                faults = self.faults()
                end = time.monotonic() + TRANSFER
                while not self.attempt(paths, next(faults), deadline):
                    assert time.monotonic() < end, f"{paths} did not arrive: {self.messages}"
                    time.sleep(PAUSE)
            self.receiver.send_signal(signal.SIGINT)
            self.receiver.wait(ATTEMPT)
        finally:
            self.receiver.kill()
            self.receiver.wait(ATTEMPT)
        return self.seen, self.messages

    def start(self):
        """Start the receiver, and wait until it listens."""
        command = [COMMAND, "recv", self.address, "--out", self.folder, "--keep", "--insecure"]
        command += ["--timeout", RECEIVER_WAITS, *self.listening]
        before = self.said.stat().st_size if self.said.exists() else 0
        with open(self.said, "ab") as said:
            self.receiver = subprocess.Popen(
                self.hosts.receiver.command(*command), stdout=subprocess.DEVNULL, stderr=said
            )
        end = time.monotonic() + ATTEMPT
        while b"listening on" not in self.said.read_bytes()[before:]:
            assert time.monotonic() < end, "the receiver does not listen"
            assert self.receiver.poll() is None, self.said.read_text()
            time.sleep(0.002)

    def make(self, number):
        """Make the files of a transfer: one to three, of one byte to some 100 KiB, or some MiB."""
        paths = []
        for part in range(self.random.choice([1, 1, 1, 2, 3])):
            size = int(2 ** self.random.uniform(0, 17))
            if self.random.random() < 0.02:
                size = self.random.randint(1 << 20, 4 << 20)
            path = self.source / f"{number:04}-{part}.npy"
            nb.save(path, np.frombuffer(self.random.randbytes(size), "u1"))
            self.right[path.name] = path.read_bytes()
            paths.append(path)
        return paths

    def faults(self):
        """Tell for each attempt what goes wrong, and when: less and less of it."""
        for chance in itertools.chain([0.8], itertools.repeat(0.4)):
            fault = self.random.choice(["sender", "sender", "receiver", "receiver", "cable"])
            delay = self.random.expovariate(1 / 0.03)
            yield (fault if self.random.random() < chance else None), delay

    def attempt(self, paths, fault, deadline):
        """Send once, and do what harm there is to do; return whether the sender was content."""
        what, delay = fault
        retries = self.random.choice([[], ["--retries", "2"]])
        command = [COMMAND, "send", *paths, self.address, "--timeout", SENDER_WAITS]
        command = self.hosts.sender.command(*command, *retries, *self.connecting)
        sender = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        try:
            with contextlib.suppress(subprocess.TimeoutExpired):
                if what is not None:
                    sender.wait(delay)
            if what is not None and sender.poll() is None:
                self.harm(what, sender)
            left = min(ATTEMPT, max(deadline - time.monotonic(), 0.01))
            said = sender.communicate(timeout=left)[1]
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{paths} to {self.address} hangs after {fault}") from None
        finally:
            sender.kill()
            sender.wait(ATTEMPT)
        self.seen["attempts"] += 1
        self.seen["went on"] += " bytes were there" in said
        assert "panicked" not in said, said
        assert sender.returncode in {0, 1, 2, -signal.SIGKILL}, said
        self.whole(paths, all_there=sender.returncode == 0)
        if sender.returncode > 0:
            text = said.strip().splitlines()[-1].replace(self.address, "ADDRESS")
            self.messages[text] += 1
        return sender.returncode == 0

    def harm(self, what, sender):
        """Do what goes wrong."""
        self.seen[what] += 1
        if what == "sender":
            sender.kill()
        elif what == "receiver":
            self.receiver.kill()
            self.receiver.wait(ATTEMPT)
            self.start()
        else:
            self.hosts.pull(self.random.uniform(0.05, 0.4))

    def whole(self, paths, all_there):
        """Check what has its name: it is whole, whatever became of the sender."""
        for path in paths:
            try:
                got = (self.folder / path.name).read_bytes()
            except FileNotFoundError:
                assert not all_there, f"{path.name} was said to have arrived"
                continue
            assert got == self.right[path.name], f"{path.name} is not what was sent"

    def check(self):
        """Check all that there is: every file, and nothing but files that were sent."""
        assert "panicked" not in self.said.read_text()
        assert sorted(os.listdir(self.folder)) == sorted(self.right)
        for name, data in self.right.items():
            assert (self.folder / name).read_bytes() == data, name


@pytest.mark.parametrize("kind", LANES)
def test_files_arrive_whole_and_once(hosts, certificate, tmp_path, kind):
    count = LANES[kind]
    shares = [len(range(i, round(TRANSFERS * SHARES[kind]), count)) for i in range(count)]
    lanes = [
        Lane(hosts, tmp_path / str(i), kind, i, share, certificate)
        for i, share in enumerate(shares)
    ]
    begin = time.monotonic()
    with ThreadPoolExecutor(count) as pool:
        done = list(pool.map(lambda lane: lane.run(begin + BOUND), lanes))
    for lane in lanes:
        lane.check()
    seen, messages = (sum(counters, collections.Counter()) for counters in zip(*done, strict=True))
    seen["files"] = sum(len(lane.right) for lane in lanes)
    seen["dropped packets"] = hosts.sender.dropped() + hosts.receiver.dropped()
    print(f"\n{kind}: {sum(shares)} transfers in {time.monotonic() - begin:.1f} s; {dict(seen)}")
    for message, times in messages.most_common():
        print(f"{times:5}  {message}")
    # Otherwise nothing was proved.
    assert min(seen[what] for what in ("dropped packets", "sender", "receiver", "cable")) > 0


@pytest.mark.parametrize("kind", LANES)
def test_arrays_arrive_in_order_and_as_they_were(hosts, certificate, kind):
    own = [*certificate, ARRAYS]
    peer = [sys.executable, "-W", "error", PEER]
    receive = [*peer, "receive", f"{kind}://{hosts.receiver.address}:0", *own]
    begin = time.monotonic()
    receiver = subprocess.Popen(
        hosts.receiver.command(*receive), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    sender = None
    try:
        address = receiver.stdout.readline().strip()
        assert address, receiver.stderr.read()
        sender = subprocess.Popen(
            hosts.sender.command(*peer, "send", address, *own),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3):
            time.sleep(0.7)
            hosts.pull(0.3)
        for process in (sender, receiver):
            out, said = process.communicate(timeout=90)
            assert process.returncode == 0, said
            assert out.strip() == f"{ARRAYS} arrays"
    finally:
        for process in filter(None, (sender, receiver)):
            process.kill()
            process.communicate(timeout=ATTEMPT)
    dropped = hosts.sender.dropped() + hosts.receiver.dropped()
    assert dropped > 0
    seconds = time.monotonic() - begin
    print(f"\n{kind}: {ARRAYS} arrays both ways in {seconds:.1f} s; {dropped} packets dropped")
