"""Sessions whose times are known, as a load queries them.

session = Sleeper(5)                  # each query takes 5 ms
session = Timed(2 * MS)               # each takes 2 ms by its own clock, which no machine slows
"""

from threading import Barrier, Lock, get_ident
from time import perf_counter_ns, sleep

import numpy as np

MS = 1_000_000
FEEDS = [{"x": np.zeros(1)}, {"x": np.ones(1)}]


class Sleeper:
    """Answers after a known time, and remembers how many queries it had at once."""

    def __init__(self, ms):
        self.ms, self.now, self.most, self.asked, self.lock = ms, 0, 0, [], Lock()

    def query(self, feed, /):
        with self.lock:
            self.now += 1
            self.most = max(self.most, self.now)
            self.asked.append(float(feed["x"][0]))
        sleep(self.ms / 1e3)
        with self.lock:
            self.now -= 1


class Timed:
    """A clock, and a session that takes a time by it, longer the later it is."""

    def __init__(self, ns, slower_by=0.0):
        self.now_ns, self.ns, self.slower_by = 0, ns, slower_by

    def clock(self):
        return self.now_ns

    def query(self, feed, /):
        self.now_ns += int(self.ns + self.slower_by * self.now_ns)


class Meeting:
    """Answers the first query of each thread once all threads are here; a thread's own times."""

    def __init__(self, threads):
        self.barrier, self.took_ns, self.asked = Barrier(threads), {}, []

    def query(self, feed, /):
        start, thread = perf_counter_ns(), get_ident()
        self.asked.append(float(feed["x"][0]))
        if thread not in self.took_ns:
            self.took_ns[thread] = []
            self.barrier.wait(60)
        self.took_ns[thread].append(perf_counter_ns() - start)
