"""Collect every notebook as tests: nbval runs the cells, decimals compare with a tolerance."""

import os
import tempfile

from nbval.plugin import IPyNbCell, IPyNbFile
from printed import Printed

from rslib.runs.execute import ONE_THREAD, environment

PATIENCE = 600      # seconds that a kernel may take to start, or to hand over an output: a hang


class Cell(IPyNbCell):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.output_timeout = PATIENCE

    def sanitize(self, text):
        return Printed(super().sanitize(text)) if isinstance(text, str) else text


class Notebook(IPyNbFile):
    def setup(self):
        """Give the kernel one thread, and a scratch folder to record into, never reports/."""
        self.scratch = tempfile.TemporaryDirectory()
        threads = dict.fromkeys(ONE_THREAD, os.environ.get("NOTEBOOK_THREADS", "1"))
        with environment(threads | {"RSLIB_RUNS": self.scratch.name}):
            super().setup()

    def teardown(self):
        super().teardown()
        self.scratch.cleanup()

    def collect(self):
        cells = [Cell.from_parent(self, name=cell.name, cell_num=cell.cell_num, cell=cell.cell,
                                  options=cell.options) for cell in super().collect()]
        counts = [cell.cell.execution_count for cell in cells]
        if counts != list(range(1, len(cells) + 1)) or not any(c.cell.outputs for c in cells):
            raise self.CollectError(f"{self.path.name}: outputs are stripped or stale; run the "
                                    "notebook from top to bottom and save it")
        return cells


def pytest_collect_file(file_path, parent):
    options = parent.config.option
    if file_path.suffix == ".ipynb" and not (options.nbval or options.nbval_lax):
        options.nbval_current_env = True
        options.nbval_kernel_startup_timeout = PATIENCE
        return Notebook.from_parent(parent, path=file_path)
