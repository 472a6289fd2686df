"""A small contest whose labels the tests know, and competitors of all kinds."""

import os
import pickle
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from worlds import planted_world

from rslib import splits
from rslib.contest import (
    ContestError,
    PrizeMaster,
    Rules,
    SimulatedClock,
    open_contest,
    read_handout,
    write_submission,
)
from rslib.ratings import Info


def stars_world(**options):
    """A planted world in whole stars, with ids and dates as a source has them."""
    ratings, _ = planted_world(60, 40, **options)
    info = Info("planted", np.arange(60) * 7 + 3, np.arange(40) + 1, first_day="2005-01-01")
    return replace(ratings, values=np.clip(np.rint(ratings.values), 1, 5), info=info)


def mean_of(ratings):
    return lambda pairs: np.full(len(pairs), ratings.values.mean())


class Game:
    """A contest in a folder, with the labels that the test may know."""

    def __init__(self, folder, split=None, **rules):
        self.split = split or splits.netflix(stars_world(), seed=5)
        self.folder, self.clock = folder, SimulatedClock()
        open_contest(folder / "master", folder / "handout", self.split,
                     mean_of(self.split.final), rules=Rules(**rules))
        self.master, self.handout = self.restart(), read_handout(folder / "handout")
        stored = np.load(folder / "master" / "labels.npz")
        self.values, self.is_test = stored["values"], stored["is_test"]

    def restart(self):
        return PrizeMaster(self.folder / "master", clock=self.clock)

    def file(self, predictions):
        """A submission as bytes."""
        path = write_submission(self.folder / "mine.txt", self.handout, predictions)
        return path.read_bytes()

    def guess(self, away=0.5, on_test=None):
        """A submission that is ``away`` stars from every label, on test by another distance."""
        off = np.where(self.is_test, away if on_test is None else on_test, away)
        return self.file(self.values + np.where(self.values > 3, -off, off))


def refused(call, *parts):
    """Assert one line that holds ``parts``."""
    with pytest.raises(ContestError) as caught:
        call()
    message = str(caught.value)
    assert "\n" not in message and not [part for part in parts if part not in message], message


def start_server(folder, path):
    """A prize master in a process of its own, listening."""
    code = ("import sys; from rslib.contest import *; master = PrizeMaster(sys.argv[1]); "
            "serve(master, sys.argv[2], ready=lambda server: print('ready', flush=True))")
    server = subprocess.Popen([sys.executable, "-c", code, folder, path], stdout=subprocess.PIPE)
    assert server.stdout.readline() == b"ready\n"
    return server


def in_a_child(action, uid=None):
    """Run ``action`` in a forked process, as another OS user; return what it returned."""
    read_end, write_end = os.pipe()
    if (pid := os.fork()) == 0:
        try:
            if uid is not None:
                os.setgroups([])
                os.setgid(uid)
                os.setuid(uid)
            os.write(write_end, pickle.dumps(action()))
        finally:
            os._exit(0)
    os.close(write_end)
    with open(read_end, "rb") as pipe:
        found = pipe.read()
    os.waitpid(pid, 0)
    return pickle.loads(found)
