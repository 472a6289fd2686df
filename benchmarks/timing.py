"""A stopwatch for fair races: contenders take turns, and ratios are taken turn by turn.

What disturbs a machine for a while then disturbs all contenders alike, and the spread of the
ratios over the turns says how far a figure can be trusted.
"""

import json
import multiprocessing
import platform
import subprocess
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from time import perf_counter, sleep

import numba
import numpy as np

import rslib
from rslib.files import write_text

__all__ = ["Log", "copy_task", "exponent", "interleaved", "machine", "matrix_task", "peak_memory",
           "ratios", "spread"]

PAUSE = 0.3         # seconds
SLOW = 20.0             # seconds of a warm-up after which a contender is repeated less often
SLOW_REPETITIONS = 3
PACKAGES = ("numpy", "scipy", "numba", "cornac", "scikit-surprise", "libmf", "lenskit", "implicit",
            "myfm")


def seconds(task):
    """Run ``task`` once and return its seconds: its own figure if it returns one, else ours."""
    start = perf_counter()
    own = task()
    return perf_counter() - start if own is None else own


def interleaved(tasks, repetitions=5):
    """Time tasks in turns, A B A B, after one warm-up of each, with a short pause before each.

    Libraries leave threads spinning for a moment after their work, in the hope of more; without
    the pause they would take a core from whoever comes next.

    Parameters
    ----------
    tasks : dict of str to callable
        A task that returns a number has timed itself, in seconds.
    repetitions : int
        Turns; a task whose warm-up takes over 20 seconds takes part in the first 3 only.

    Returns
    -------
    dict of str to list of float
        Seconds of each turn.
    """
    warm_ups = {name: seconds(task) for name, task in tasks.items()}
    turns = {name: min(repetitions, SLOW_REPETITIONS) if warm_up > SLOW else repetitions
             for name, warm_up in warm_ups.items()}
    times = {name: [] for name in tasks}
    for turn in range(repetitions):
        for name, task in tasks.items():
            if turn < turns[name]:
                sleep(PAUSE)
                times[name].append(seconds(task))
    return times


def ratios(theirs, ours):
    """Return theirs over ours, turn by turn: above one where ours took less."""
    n_turns = min(len(theirs), len(ours))
    return list(np.divide(theirs[:n_turns], ours[:n_turns]))


def spread(values):
    """Return the least, the median and the greatest of ``values`` by name."""
    return {"min": float(np.min(values)), "median": float(np.median(values)),
            "max": float(np.max(values))}


def exponent(sizes, times):
    """Return b of the least-squares fit ``time = a * size ** b`` on log axes."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def matrix_task(dtype=np.float32, n=2048):
    """Return a task that multiplies two n x n matrices, and its floating-point operations."""
    a, b = np.random.default_rng(0).random((2, n, n)).astype(dtype)
    product = np.empty_like(a)

    def task():
        np.matmul(a, b, out=product)
    return task, 2 * n ** 3


@numba.njit(parallel=True, cache=True)
def _copy(source, target):
    for place in numba.prange(source.size):
        target[place] = source[place]


def copy_task(n_bytes=1 << 28):
    """Return a task that copies ``n_bytes`` with all threads, and the bytes read and written."""
    source = np.ones(n_bytes // 8)
    target = np.zeros_like(source)

    def task():
        _copy(source, target)
    return task, 2 * n_bytes


def _memory(field):
    """Read one field of this process's memory account, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field + ":"))


def _watch(connection, function, warm_up, arguments):
    function(*warm_up)
    Path("/proc/self/clear_refs").write_text("5")       # the high-water mark starts again here
    before = _memory("VmRSS")
    function(*arguments)
    connection.send(_memory("VmHWM") - before)


def peak_memory(function, arguments, warm_up):
    """Return by how much ``function(*arguments)`` raises the resident memory at its peak.

    It runs in a process of its own, after ``function(*warm_up)``, which loads what is compiled.

    Parameters
    ----------
    function : callable
        Importable, as its arguments must be picklable.
    arguments, warm_up : tuple

    Returns
    -------
    int
        Bytes. Linux only.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_watch, args=(sender, function, warm_up, arguments))
    process.start()
    sender.close()
    try:
        return receiver.recv()
    finally:
        process.join()


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor():
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def machine():
    """Describe this machine and what is installed: no host name, no paths."""
    commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=rslib.HOME,
                            capture_output=True, text=True)
    versions = {package: _version(package) for package in PACKAGES}
    return {"processor": _processor(), "threads": numba.get_num_threads(),
            "python": platform.python_version(),
            "versions": {name: version for name, version in versions.items() if version},
            "date": datetime.now(UTC).date().isoformat(),
            "commit": commit.stdout.strip() or None}


class Log:
    """Results of a measurement, written whole after each experiment, so that it can go on.

    Parameters
    ----------
    path : Path
        JSON with the keys machine, settings and results.
    settings : dict
        What is measured; a file begun with other settings is refused.

    Raises
    ------
    ValueError
        If ``path`` was begun with other settings, or elsewhere.
    """

    def __init__(self, path, settings):
        self.path = Path(path)
        self.content = {"machine": machine(), "settings": settings, "results": {}}
        if self.path.exists():
            old = json.loads(self.path.read_text(encoding="utf-8"))
            if old["settings"] != settings or not self._is_here(old["machine"]):
                raise ValueError(f"{self.path} was begun with other settings, versions or on "
                                 "another machine: delete it, or name another file")
            self.content = old

    def _is_here(self, other):
        here = self.content["machine"]
        return all(here[key] == other[key] for key in ("processor", "threads", "versions"))

    def run(self, name, experiment):
        """Run ``experiment`` and keep its result under ``name``, unless it is there already."""
        if name not in self.content["results"]:
            self.content["results"][name] = experiment()
            write_text(self.path, json.dumps(self.content, indent=1) + "\n")
