"""Run many notebooks side by side, with a bar, so that Ctrl-C stops everything at once."""

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

__all__ = ["run_many"]


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


def _drain(executor, tasks, jobs, bar):
    """Keep ``jobs`` tasks running until none is left; yield each name with its outcome."""
    waiting, running = list(tasks), {}
    while waiting or running:
        while waiting and len(running) < jobs:
            name = waiting.pop(0)
            function, *arguments = tasks[name]
            running[executor.submit(function, *arguments)] = name
        _show(bar, running, len(waiting))
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            name = running.pop(future)
            bar.update()
            yield name, _outcome(future, name)
    bar.set_postfix_str("")


def run_many(tasks, *, jobs=2, title=""):
    """Run tasks in ``jobs`` worker processes.

    Parameters
    ----------
    tasks : dict
        Name of each task to a tuple: a module-level function and its arguments.
    jobs : int
        Tasks that run at the same time.
    title : str
        Text before the progress bar, which is written to stderr.

    Returns
    -------
    dict
        Name of each task to what its function returned, or to the `NotebookFailed` it raised.
    """
    executor = ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn"), _prepare_worker)
    with tqdm(total=len(tasks), desc=title, unit="run", disable=not tasks) as bar:
        try:
            return dict(_drain(executor, tasks, jobs, bar))
        except KeyboardInterrupt:
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        finally:
            executor.shutdown(cancel_futures=True)
