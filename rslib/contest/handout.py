"""What competitors get: the ratings of train and probe, and the pairs to predict."""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from rslib.backend import asnumpy
from rslib.contest.formats import (
    Sections,
    read_id,
    read_sections,
    sections_text,
    submission_text,
    written_id,
)
from rslib.contest.rules import ContestError
from rslib.files import write_text
from rslib.ratings import Info, Pairs, Ratings

__all__ = ["Handout", "by_movie", "read_handout", "write_handout", "write_submission"]

_EPOCH = "1970-01-01"       # day 0 of ratings that do not say when they begin


@dataclass(frozen=True)
class Handout:
    """The folder of a competitor, read.

    ``train`` and ``probe`` carry their stars, ``final`` is both together, ``qualifying`` are the
    pairs to predict in the order of qualifying.txt. All live in one world of users and items.
    """

    train: Ratings
    probe: Ratings
    final: Ratings = field(repr=False)
    qualifying: Pairs
    sections: Sections = field(repr=False)


def _names(ratings):
    """Ids of users and items as they stand in the files."""
    info = ratings.info
    found = {}
    for role, n in (("user", ratings.n_users), ("item", ratings.n_items)):
        ids = np.arange(1, n + 1) if info is None else getattr(info, f"{role}_ids")
        names = np.asarray(ids).astype(np.dtypes.StringDType()).tolist()
        if not all(names):
            raise ContestError(f"{role} {names.index('')} has an empty id, which cannot stand in "
                               "the files of the contest: name it")
        found[role] = np.array([written_id(name) for name in names], np.dtypes.StringDType())
    return found


def _dates(ratings):
    """ISO dates of the rows, or None."""
    if ratings.days is None:
        return None
    first = (ratings.info.first_day if ratings.info is not None else None) or _EPOCH
    return np.datetime_as_string(np.datetime64(first, "D") + asnumpy(ratings.days))


def by_movie(pairs):
    """Return the order of the rows in the contest's files: by movie, then by user."""
    return np.lexsort((asnumpy(pairs.users), asnumpy(pairs.items)))


def _sections(items, names):
    found, counts = np.unique(items, return_counts=True)
    return Sections(names[found].tolist(), counts.tolist())


def _write_training(path, ratings, names):
    """The ratings as a table that `rslib.sources.load` reads."""
    columns = {"user": pa.array(names["user"][ratings.users]),
               "item": pa.array(names["item"][ratings.items]), "rating": pa.array(ratings.values)}
    dates = _dates(ratings)
    if dates is not None:
        columns["date"] = pa.array(dates)
    csv.write_csv(pa.table(columns), path, csv.WriteOptions(quoting_style="none"))


def write_handout(folder, final, probe, qualifying, facts):
    """Write the files of a competitor into an empty folder.

    Parameters
    ----------
    folder : Path
    final : Ratings
        Train and probe.
    probe : Ratings
    qualifying : Ratings
        Quiz and test together, in the order of `by_movie`; their values are not read.
    facts : dict
        Rules and figures for contest.json.

    Returns
    -------
    Sections
        Of qualifying.txt.
    """
    names = _names(final)
    probe = probe[by_movie(probe)]
    _write_training(folder / "training.csv", final, names)
    (folder / "probe.txt").write_text(sections_text(
        _sections(probe.items, names["item"]), names["user"][probe.users].tolist()), "utf-8")
    sections, who = _sections(qualifying.items, names["item"]), names["user"][qualifying.users]
    dates = _dates(qualifying)
    lines = who if dates is None else [f"{user},{date}" for user, date in
                                       zip(who, dates, strict=True)]
    (folder / "qualifying.txt").write_text(sections_text(sections, list(lines)), "utf-8")
    (folder / "contest.json").write_text(json.dumps(facts, indent=1) + "\n", "utf-8")
    for path in folder.iterdir():
        path.chmod(0o644)
    return sections


def _read_text(folder, name):
    path = folder / name
    if not path.is_file():
        raise ContestError(f"{path}: no such file; a hand-out holds training.csv, probe.txt, "
                           "qualifying.txt and contest.json")
    return path.read_text("utf-8")


def _number_ids(*columns):
    """Return ascending ids (by number where all are numbers) and the columns as positions."""
    ids, positions = np.unique(np.concatenate(columns), return_inverse=True)
    if all(re.fullmatch(r"[0-9]{1,18}", name) for name in ids.tolist()):
        order = np.argsort(ids.astype(np.int64), kind="stable")
        rank = np.empty(len(ids), np.int64)
        rank[order] = np.arange(len(ids))
        ids, positions = ids[order], rank[positions]
    ids = np.array([read_id(name) for name in ids.tolist()])
    return ids, np.split(positions, np.cumsum([len(column) for column in columns])[:-1])


def _days(*columns):
    """Return the first date and each column as days since it."""
    dates = [np.asarray(column).astype("datetime64[D]") for column in columns]
    first = min(column.min() for column in dates)
    return str(first), [(column - first).astype(np.int32) for column in dates]


def read_handout(folder):
    """Read the folder that a competitor was given.

    Parameters
    ----------
    folder : str or Path

    Returns
    -------
    Handout

    Raises
    ------
    ContestError
        If a file is missing or is none of the contest's.
    """
    folder = Path(folder)
    facts = json.loads(_read_text(folder, "contest.json"))
    probe, listed = read_sections(_read_text(folder, "probe.txt"), folder / "probe.txt")
    asked, lines = read_sections(_read_text(folder, "qualifying.txt"), folder / "qualifying.txt")
    text = dict.fromkeys(("user", "item", "date"), pa.string()) | {"rating": pa.float32()}
    table = csv.read_csv(folder / "training.csv",
                         convert_options=csv.ConvertOptions(column_types=text))
    columns = {name: table[name].to_numpy() for name in table.column_names}
    fields = [line.split(",") for line in lines]
    user_ids, users = _number_ids(columns["user"].astype(str), np.array(listed),
                                  np.array([row[0] for row in fields]))
    item_ids, items = _number_ids(columns["item"].astype(str),
                                  np.repeat(probe.movies, probe.counts),
                                  np.repeat(asked.movies, asked.counts))
    first, days = (_days(columns["date"].astype(str), [row[1] for row in fields])
                   if "date" in columns else (None, (None, None)))
    world = len(user_ids), len(item_ids)
    info = Info(facts["name"], user_ids, item_ids, scale=tuple(facts["scale"]), first_day=first,
                measure=facts.get("measure"))
    final = Ratings(users[0], items[0], days[0], *world, values=columns["rating"], info=info)
    keys = [who * world[1] + what for who, what in zip(users[:2], items[:2], strict=True)]
    in_probe = np.isin(*keys)
    return Handout(final[~in_probe], final[in_probe], final,
                   Pairs(users[2], items[2], days[1], *world), asked)


def write_submission(path, handout, predictions):
    """Write ``predictions`` of ``handout.qualifying`` to ``path`` in the contest's format.

    Parameters
    ----------
    path : str or Path
    handout : Handout
    predictions : float array (n_qualifying,)
        Inside the scale: the prize master refuses others (`rslib.metrics.clip`).

    Returns
    -------
    Path
    """
    path = Path(path)
    write_text(path, submission_text(handout.sections, asnumpy(predictions)))
    return path
