"""Open a contest: deal a split into what is hidden and what is handed out."""

import os
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path

import numpy as np

from rslib.backend import asnumpy
from rslib.contest.handout import by_movie, write_handout
from rslib.contest.ledger import Ledger, stamp
from rslib.contest.master import PrizeMaster
from rslib.contest.rules import ContestError, Rules, line, published
from rslib.files import new_folder
from rslib.metrics import clipped_rmse

__all__ = ["open_contest"]


def open_contest(folder, handout, split, baseline, *, rules=None):
    """Deal a split into the master's folder and the hand-out of the competitors.

    Parameters
    ----------
    folder : str or Path
        New folder of the prize master, mode 0700; its owner should be an OS user of its own.
    handout : str or Path
        New folder for the competitors, outside ``folder``.
    split : Split
        Of `rslib.splits`; deal it with a seed that competitors do not know.
    baseline : callable
        ``predict`` of a model fitted on ``split.final``: takes Pairs, returns stars. It stands for
        Cinematch; its RMSE on quiz and test are what improvement is measured against.
    rules : Rules or None

    Returns
    -------
    PrizeMaster

    Raises
    ------
    ContestError
        If a folder exists already, or an id cannot stand in the files. Nothing is written then.
    """
    folder, handout, rules = Path(folder), Path(handout), rules or Rules()
    for path in (folder, handout):
        if path.exists():
            raise ContestError(f"{path}: exists already; name a new folder, a contest is not "
                               "overwritten")
    if folder.resolve() == handout.resolve() or folder.resolve() in handout.resolve().parents:
        raise ContestError(f"{handout}: inside the folder of the prize master, where competitors "
                           "cannot read; name another folder")
    final = split.final.to("cpu")
    both = split.held_out.to("cpu")
    order = by_movie(both)
    both, is_test = both[order], split.is_test[order]
    guess = asnumpy(baseline(both.pairs))
    scores = {part: clipped_rmse(guess[rows], both.values[rows], final.scale)
              for part, rows in (("quiz", ~is_test), ("test", is_test))}
    shown = {"name": final.info.name if final.info else "contest", "scale": list(final.scale),
             "measure": final.measure,
             "baseline_quiz": published(scores["quiz"]),
             "line": line(scores["quiz"], rules.improvement)}
    rules_text = asdict(rules) | {"ends": rules.ends and stamp(rules.ends)}
    with ExitStack() as both_or_none:
        hidden, public = (both_or_none.enter_context(new_folder(path, mode=0o700, replace=False))
                          for path in (folder, handout))
        sections = write_handout(public, final, split.probe.to("cpu"), both, shown | rules_text)
        with open(os.open(hidden / "labels.npz", os.O_CREAT | os.O_WRONLY, 0o600), "wb") as file:
            np.savez(file, values=both.values, is_test=is_test, movies=np.array(sections.movies),
                     counts=np.array(sections.counts))
        Ledger.create(hidden / "board.sqlite", shown | {
            "baseline_test": published(scores["test"]), "rules": rules_text})
        public.chmod(0o755)
    return PrizeMaster(folder)
