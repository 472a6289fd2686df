"""Read the records of a data set back, in ladder order, and tell the rungs from other runs."""

import json
import shutil
from pathlib import Path

from rslib.files import new_file, new_folder
from rslib.runs.records import RECORDED, Record, place_of, runs_root
from rslib.runs.rungs import RUNGS
from rslib.runs.settings import chosen_for, is_own
from rslib.sources import SourceMissing, load
from rslib.splits import netflix

__all__ = ["keep", "load_record", "others", "ratings_or_name", "read"]


def load_record(folder):
    """Read one record folder."""
    facts = json.loads((folder / "record.json").read_text(encoding="utf-8"))
    return Record(**facts, folder=folder)


def _records_in(folder, content=None):
    """Every record below a folder that belongs to a split, the newest first."""
    found = [load_record(path.parent) for path in sorted(folder.glob("*/record.json"))]
    return sorted((each for each in found if content in (None, each.content)),
                  key=lambda each: each.created, reverse=True)


def _contents(name, roots):
    """The splits that records of a data set of this name were made of."""
    places = [place for root in roots if root.is_dir() for place in sorted(root.iterdir())
              if place.name == name or place.name.rpartition("-")[0] == name]
    return sorted({each.content for place in places for each in _records_in(place)
                   if each.dataset == name and each.content})


def _identify(dataset, roots):
    """Name and content of ratings, or of the only ratings that have records under a name."""
    if not isinstance(dataset, str):
        return dataset.info.name, netflix(dataset).content
    found = _contents(dataset, roots)
    if len(found) > 1:
        raise ValueError(f"{len(found)} sets of ratings, or splits of them, have records under the "
                         f"name {dataset!r}: ask for one by its ratings, as load() returns them")
    return dataset, found[0] if found else ""


def _everything(dataset, root):
    """All records of one split, those that were run here before committed ones; what was chosen."""
    roots = [runs_root(), RECORDED] if root is None else [Path(root)]
    name, content = _identify(dataset, roots)
    places = [place for each in roots for place in (place_of(each, name, content), each / name)]
    records = [record for place in places for record in _records_in(place, content)]
    return records, chosen_for(places)


def read(dataset, root=None):
    """Read the rungs of one data set, in ladder order.

    A record is a rung if it was made on the split of the contest of just these ratings, with the
    rung's own settings or with those that were chosen for these ratings. Models of the user's own
    stand above them, the newest record of each.

    Parameters
    ----------
    dataset : Ratings or str
        The ratings, or their name where all records of that name are of the same ratings.
    root : path or None
        Folder of runs. None reads `runs_root`, and for a rung that was not run here the committed
        copy in reports/recorded (``record.is_recorded_copy`` says which).

    Returns
    -------
    list of Record
        Empty when nothing has been recorded.

    Raises
    ------
    ValueError
        If several sets of ratings have records under one name.
    """
    records, chosen = _everything(dataset, root)
    found = {}
    for each in records:
        if is_own(each, chosen):
            found.setdefault(each.rung, each)
    ours = sorted((key for key in found if key not in RUNGS), key=lambda key: found[key].created)
    return [found[key] for key in [*RUNGS, *ours] if key in found]


def others(dataset, root=None):
    """Read the records of one data set whose settings are not those of their rung.

    Parameters and errors are those of `read`.
    """
    records, chosen = _everything(dataset, root)
    return [each for each in records if not is_own(each, chosen)]


def ratings_or_name(name, **options):
    """Return the ratings that `rslib.sources.load` finds, or the name where only records are here.

    Either is what `read` takes.
    """
    try:
        return load(name, **options)
    except SourceMissing:
        return name


def keep(dataset, picture=None):
    """Copy the rungs of ``dataset`` that were run here to reports/recorded, for committing.

    Parameters
    ----------
    dataset : Ratings or str
        As `read` takes it.
    picture : path or None
        The picture of the ladder, kept beside them.
    """
    for each in read(dataset, runs_root()):
        with new_folder(RECORDED / each.dataset / each.rung) as copy:
            shutil.copytree(each.folder, copy, dirs_exist_ok=True)
    if picture is not None:
        name = dataset if isinstance(dataset, str) else dataset.info.name
        with new_file(RECORDED / name / "ladder.png") as copy:
            copy.write(Path(picture).read_bytes())
