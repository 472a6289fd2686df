"""Run many notebooks side by side, each told as it ends, so that Ctrl-C stops all at once."""

import logging
import multiprocessing
import os
import signal
import sys
import threading
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from tqdm import tqdm

from rslib.runs.execute import NotebookFailed
from rslib.runs.progress import Progress

__all__ = ["run_many"]

# without tqdm's own guess of what is left, which takes all tasks for equal
_BAR = "{desc}: {n_fmt}/{total_fmt} [{elapsed}{postfix}]"


def _die_with_parent():
    """End this worker when the process that started it is gone, even by SIGKILL."""
    multiprocessing.parent_process().join()
    os._exit(1)


def _stop(signum, frame):
    # unwinds run_notebook, which kills its kernel and removes its temporary folder
    sys.exit(1)


def _prepare_worker():
    signal.signal(signal.SIGINT, signal.SIG_IGN)        # the parent answers Ctrl-C for all
    signal.signal(signal.SIGTERM, _stop)
    logging.disable(logging.ERROR)                      # what failed is told once, by the parent
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _outcome(future, name):
    try:
        return future.result()
    except NotebookFailed as error:
        return error
    except BrokenProcessPool:
        return NotebookFailed(f"{name}: its worker was killed (out of memory?)")


def _show(bar, running, n_left):
    bar.set_postfix_str(f"running {', '.join(running.values()) or 'nothing'}; {n_left} left")


def _tell(bar, line):
    bar.update()
    bar.write(line, file=sys.stderr)


def _drain(executor, tasks, progress, bar):
    """Keep ``jobs`` tasks running until none is left; yield each name with its outcome."""
    waiting, running = list(tasks), {}
    while waiting or running:
        while waiting and len(running) < progress.jobs:
            name = waiting.pop(0)
            function, *arguments = tasks[name]
            running[executor.submit(function, *arguments)] = name
            progress.begin(name)
        _show(bar, running, len(waiting))
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            outcome = _outcome(future, name)
            failure = outcome if isinstance(outcome, NotebookFailed) else None
            _tell(bar, progress.end(name, failure))
            yield name, outcome
    bar.set_postfix_str("")


def run_many(tasks, *, jobs=2, title="", expected=None, titles=None):
    """Run tasks in ``jobs`` worker processes, begun in their order.

    Parameters
    ----------
    tasks : dict
        Name of each task to a tuple: a module-level function and its arguments.
    jobs : int
        Tasks that run at the same time.
    title : str
        Text before the progress bar, which is written to stderr.
    expected, titles : dict or None
        See `rslib.runs.progress.Progress`.

    Returns
    -------
    dict
        Name of each task to what its function returned, or to the `NotebookFailed` it raised.
    """
    progress = Progress(tasks, jobs, expected, titles)
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _prepare_worker)
    with tqdm(total=len(tasks), desc=title, bar_format=_BAR, disable=not tasks) as bar:
        try:
            return dict(_drain(executor, tasks, progress, bar))
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)
