"""Run one notebook with papermill, so that what it leaves is either whole or marked as failed."""

import os
import shutil
from contextlib import contextmanager
from pathlib import Path

from rslib import HOME
from rslib.extras import needs
from rslib.files import new_folder, scratch_folder, socket_folder, write_text
from rslib.runs.parameters import check
from rslib.runs.records import runs_root

__all__ = ["ONE_THREAD", "NotebookFailed", "environment", "refresh", "run_notebook"]

ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL", "NUMBA")}
"""Environment of every kernel: several run at a time, one to a core."""


class NotebookFailed(Exception):
    """A notebook that raised; its message is one line naming notebook, cell and error."""


@contextmanager
def environment(variables):
    """Set environment variables for the kernels started inside the block."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _execute_once(path, parameters, out, start_timeout):
    import papermill
    from traitlets.config import Config

    # the sockets lie beside the connection file; kernels that shared a path would get crossed
    with socket_folder() as sockets:
        connection = {"transport": "ipc", "connection_file": str(sockets / "k.json")}
        papermill.execute_notebook(
            str(path), str(out), parameters=parameters, kernel_name="python3", progress_bar=False,
            start_timeout=start_timeout, shutdown_kernel="immediate",
            config=Config({"KernelManager": connection, "AsyncKernelManager": connection}))


def _execute(path, parameters, out, start_timeout, n_tries=2):
    """Run a notebook, once more when its kernel did not come up; say in one line what failed."""
    with needs("notebooks"):
        from nbclient.exceptions import DeadKernelError
        from papermill.exceptions import PapermillExecutionError

    for n_left in reversed(range(n_tries)):
        try:
            return _execute_once(path, parameters, out, start_timeout)
        except PapermillExecutionError as error:
            what = f"{error.ename}: {error.evalue}".splitlines()[0].removesuffix(": ")
            reason = f"cell [{_count_as_committed(out)}]: {what}"
        except DeadKernelError:
            reason = f"cell [{_count_as_committed(out)}]: the kernel died (out of memory?)"
        except RuntimeError as error:
            if n_left:
                continue
            reason = f"no kernel started: {error}"
        raise NotebookFailed(f"{path}: {reason}") from None


def _count_as_committed(out):
    """Number the cells of a failed copy as in the notebook itself; return that of the last one run.

    The cell that papermill adds for the parameters has a number of its own, by which all others
    would be one too high for whoever looks for them in the notebook that was run.
    """
    import nbformat

    notebook = nbformat.read(out, as_version=4)
    numbers = {}
    for cell in notebook.cells:
        if cell.cell_type != "code" or not _was_run(cell):
            continue
        added = "injected-parameters" in cell.metadata.get("tags", [])
        number = None if added else sum(each is not None for each in numbers.values()) + 1
        numbers[f"In [{cell.execution_count}]"] = cell.execution_count = number
        for output in cell.outputs:
            if output.output_type == "execute_result":
                output.execution_count = number
    if not numbers:     # it died before the first
        return 1
    *_, (shown, last) = numbers.items()
    for cell in notebook.cells:
        if "papermill-error-cell-tag" in cell.metadata.get("tags", []):
            cell.source = cell.source.replace(shown, f"In [{last}]")
    nbformat.write(notebook, out)
    return last


def _was_run(cell):
    """Whether a cell was begun; a status is set of others too, and empty ones are passed over."""
    begun = cell.metadata.get("papermill", {}).get("start_time")
    return begun is not None and bool(cell.source.strip())


def _keep_failed(folder, error, out):
    """Move what a failed run left to ``<out without suffix>.failed/``, with the reason."""
    with new_folder(out.with_suffix(".failed")) as failed:
        shutil.copytree(folder, failed, dirs_exist_ok=True)
        (failed / "error.txt").write_text(f"{error}\n", encoding="utf-8")


def run_notebook(path, parameters=None, out=None, *, runs=None, start_timeout=300):
    """Run one notebook in a kernel of this interpreter, one thread, and keep it executed.

    Parameters
    ----------
    path : path
        The notebook; it is not changed.
    parameters : dict or None
        Values by name, checked against its parameters cell before a kernel starts.
    out : path or None
        Where the executed notebook goes, by one rename; None takes reports/executed. A run that
        fails leaves its notebook and ``error.txt`` in a folder of the same name, ending in
        ``.failed``, instead.
    runs : path or None
        Root for the records that the notebook makes; None takes `runs_root`.
    start_timeout : float
        Seconds that a kernel may take to start; one that does not is tried once more.

    Returns
    -------
    Path
        The executed notebook.

    Raises
    ------
    ValueError
        If a parameter is unknown or of another type.
    NotebookFailed
        If a cell raises or no kernel starts.
    """
    path, parameters = Path(path), parameters or {}
    check(path, parameters)
    out = Path(out) if out else HOME / "reports" / "executed" / path.name
    shutil.rmtree(out.with_suffix(".failed"), ignore_errors=True)
    variables = {**ONE_THREAD, "RSLIB_RUNS": str(Path(runs or runs_root()).absolute()),
                 "JUPYTER_PREFER_ENV_PATH": "1"}
    with scratch_folder(out) as folder, environment(variables):
        try:
            _execute(path, parameters, folder / path.name, start_timeout)
        except NotebookFailed as error:
            _keep_failed(folder, error, out)
            raise
        (folder / path.name).replace(out)
    return out


def refresh(path):
    """Run a notebook with its own parameters and keep the new outputs in it, to commit.

    Nothing of the run itself stays: no times, no paths, no version of Python.

    Raises
    ------
    NotebookFailed
        If a cell raises; the notebook is unchanged then.
    """
    with needs("notebooks"):
        import nbformat

    path = Path(path)
    notebook = nbformat.read(run_notebook(path), as_version=4)
    notebook.metadata = {"kernelspec": notebook.metadata.kernelspec,
                         "language_info": {"name": "python"}}
    for cell in notebook.cells:
        tags = cell.metadata.get("tags")
        cell.metadata = {"tags": tags} if tags else {}
    write_text(path, nbformat.writes(notebook) + "\n")
    return path
