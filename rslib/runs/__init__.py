"""Record one run, read them all; run a notebook, a sweep, the whole ladder."""

from rslib.runs.execute import NotebookFailed, run_notebook
from rslib.runs.records import RECORDED, Record, record, record_predictions, runs_root
from rslib.runs.rungs import REFERENCES, RUNGS, Rung
from rslib.runs.settings import BLEND
from rslib.runs.shelf import others, ratings_or_name, read
from rslib.runs.table import columns, ladder_rows
from rslib.runs.tune import own_model

__all__ = ["BLEND", "RECORDED", "REFERENCES", "RUNGS", "NotebookFailed", "Record", "Rung",
           "columns", "ladder_rows", "others", "own_model", "ratings_or_name", "read", "record",
           "record_predictions", "run_notebook", "runs_root"]
