"""Named data sets and users' own files, read into `Ratings`.

A name is looked for in the folder that RSLIB_DATA names, then in data/, and is then downloaded
where its publisher allows. What is read or drawn is kept (see `rslib.sources.store`), so the second
load of the same source takes a moment.
"""

import difflib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Unpack

import numpy as np
import pyarrow as pa

from rslib import HOME
from rslib.ratings import Ratings
from rslib.sources import movielens, netflix, store
from rslib.sources.archives import members, stamps
from rslib.sources.download import PUBLISHED, check, find
from rslib.sources.errors import SourceError, SourceMissing
from rslib.sources.form import FormOptions, checked_scale, form_of
from rslib.sources.frames import from_dataframe
from rslib.sources.like import check_like, renumbered
from rslib.sources.locate import BadValue
from rslib.sources.places import KNOWN_FILES, beside, inside, key_of, source_maker
from rslib.sources.stand_in import or_planted
from rslib.sources.understood import describe

__all__ = ["PUBLISHED", "SourceError", "SourceMissing", "describe", "from_dataframe", "load",
           "load_fold", "or_planted", "stamps_of"]


_PLANTED = ("synthetic", "synthetic-purchases")


def _close(name):
    """Return the question whether a known set was meant, where a name is near one."""
    near = difflib.get_close_matches(name.lower(), [*PUBLISHED, *_PLANTED], 1, 0.7)
    return f"; did you mean {near[0]}?" if near else ""


def _place(name):
    """Return the path that a name or a path stands for."""
    if name in PUBLISHED:
        return find(name)
    if re.match(r"[a-z]+://", name, re.I):
        raise SourceMissing(f"{name}: an address, not a file; download it and name the file")
    path = Path(name).expanduser().absolute()
    if not inside(path)[0].exists():
        raise SourceMissing(f"{name}: no such file or folder, and none of the known sets "
                            f"{', '.join([*PUBLISHED, *_PLANTED])}{_close(name)}")
    # a file of a published set brings its neighbours: titles, probe, the other parts
    if not KNOWN_FILES.fullmatch(path.name):
        return path
    parts = [path.with_name(f"combined_data_{k}.txt") for k in range(1, 5)]
    alone = path in parts and not all(part.exists() for part in parts)
    return path if alone else path.parent


def load(name_or_path="ml-latest-small", *, user: str | int | None = None,
         item: str | int | None = None, rating: str | int | None = None,
         time: str | int | None = None, scale: Sequence[float] | None = None, like=None,
         new_users: bool = False, cache: str | Path | None = None,
         **form: Unpack[FormOptions]) -> Ratings:
    """Read ratings by name or from a file, a folder or an archive.

    Users and items are numbered from 0 in ascending order of their ids in the source, and only
    those with a rating get a number; the order of the rows is kept. Of several ratings of one item
    by one user the last counts. With ``interactions=True`` a row is a click or a count, those of a
    pair add up, and `Ratings.measure` says of what.

    Parameters
    ----------
    name_or_path : str or Path
        ml-latest-small, ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, netflix, lastfm-2k
        (plays), synthetic, synthetic-<n>[k|m], synthetic-purchases, synthetic-purchases-<n>[k|m];
        or the path of a text table or a Parquet file, which may be packed by gz, bz2 or xz, of a
        folder of Parquet parts, of a zip or tar that holds one table (of several write
        archive.zip:member), or of a folder, zip or tar of MovieLens, Netflix or Last.fm. A name
        wins over a file of that name: write ./ml-1m for the file.
    user, item, rating, time : str, int or None
        Columns of a table of your own, by name or by position from 0; None finds them by common
        names. Without a time column the ratings carry no days.
    scale : (float, float), list of two or None
        Lowest and highest rating, in stars; None takes what the published set declares, or what a
        table of your own holds.
    like : Ratings, Pairs, Numbering, fitted model or None
        Number users and items as there, and count days from its day 0. Rows with an id unknown
        there are left out.
    new_users : bool
        With ``like``: the users are new, and numbered by this file; only the items are as there.
        What ``fold_in`` takes.
    cache : path or None
        Folder of the stores; None is the one that RSLIB_CACHE names, else data/.cache.
    **form
        How a table of your own is written: delimiter, decimal, quoting, header, time_unit,
        drop_zeros, duplicates, interactions; see `rslib.sources.form.Form`. What is not said is
        found, or asked for where more than one thing may be meant; ``info.understood`` holds what
        was found.

    Returns
    -------
    Ratings
        ``days`` since the first rating; ``ranks`` where the source knows more than the day.
        Of Netflix, ``info.extra`` holds ``probe`` (rows of the ratings) and ``qualifying``
        (Pairs).

    Raises
    ------
    SourceMissing
        If there is no such file, or a set is not here and cannot be downloaded.
    SourceError
        If the source cannot be read: one line naming file, row and column.
    OSError
        If the store cannot be written, as on a full disk; nothing is left of it.

    Warns
    -----
    UserWarning
        When the store is built and duplicates were dropped, when it was damaged, and when rows are
        unknown to ``like``.
    """
    numbering = check_like(like, new_users)     # before a long read
    ratings = _read(str(name_or_path), {"user": user, "item": item, "rating": rating, "time": time},
                    form_of(form), scale, store.place(cache, HOME))
    if numbering is None:
        return ratings
    return renumbered(ratings, numbering, new_users=new_users, label=str(name_or_path))


def _refuse_options(name, given, form, scale):
    """Refuse for planted ratings what says how a file is read."""
    if scale is not None or form.given() or any(value is not None for value in given.values()):
        raise SourceError(f"{name}: planted sets are drawn, not read; columns, scale= and the form "
                          "are for a table of your own")


def _drawn(name, cache, *, purchases):
    """Return a planted set; only who asks for one waits for what draws it."""
    if purchases:
        from rslib.sources.purchases import load_purchases
        return load_purchases(name, cache)
    from rslib.sources.synthetic import load_synthetic
    return load_synthetic(name, cache)


def _read(name, given, form, scale, cache):
    """Return the ratings of a source in its own numbering, from its store if it has one."""
    if planted := re.fullmatch(r"synthetic(-purchases)?(-[0-9.]+[km]?)?", name):
        _refuse_options(name, given, form, scale)
        return _drawn(name, cache, purchases=bool(planted[1]))
    scale = checked_scale(scale, form.interactions)
    path, known = _place(name), name in PUBLISHED
    make = source_maker(name if known else path.stem, path, (given, form), scale)

    def make_source():
        if known:
            check(name, path)
        return make()

    key = {"name": known and name, "scale": scale} | key_of((given, form))
    return store.load(path, _stamps(path), key, make_source, cache)


def _stamps(path):
    return [stamp for file in (inside(path)[0], *beside(path)) for stamp in stamps(file)]


def stamps_of(name_or_path):
    """Return a list that differs when any of the files that `load` reads for a name has changed.

    It is empty for planted ratings, and for what is no source.
    """
    try:
        return _stamps(_place(str(name_or_path)))
    except (SourceError, OSError):
        return []


def _fold_rows(ratings, table):
    """Return the rows of ``ratings`` that one half of a fold lists, in its order."""
    try:
        batches = list(table.batches(ratings.info.scale, lambda n: None))
    except (BadValue, pa.ArrowException) as error:
        raise table.locate(ratings.info.scale, error) from None
    who, what = (np.concatenate([getattr(batch, role).to_numpy() for batch in batches])
                 for role in ("user", "item"))
    info = ratings.info
    (users, known), (items, rated) = (netflix.index(info.user_ids, who),
                                      netflix.index(info.item_ids, what))
    rows = netflix.rows_of(ratings.users, ratings.items, users, items, ratings.n_users)
    rows[~(known & rated)] = -1
    if (rows < 0).any():
        row = int(np.argmax(rows < 0))
        raise SourceError(f"{table.member.label}: row {row + 1}: user {who[row]} and movie "
                          f"{what[row]} are not in u.data")
    return rows


def load_fold(name="ml-100k", fold: int = 1, *,
              cache: str | Path | None = None) -> tuple[Ratings, Ratings]:
    """Read one of the published folds u1 to u5 of MovieLens 100K.

    Parameters
    ----------
    name : str or Path
        ml-100k, or the path of its folder or zip.
    fold : int
        1 to 5.
    cache : path or None
        See `load`.

    Returns
    -------
    train, test : Ratings
        Numbered as `load` numbers all of u.data.

    Raises
    ------
    SourceError
        If the set has no such fold.
    """
    if fold not in range(1, 6):
        raise ValueError(f"fold must be 1 to 5, not {fold}")
    ratings = load(name, cache=cache)
    files = members(_place(str(name)))
    train, test = (ratings[_fold_rows(ratings, table)]
                   for table in movielens.fold_tables(files, fold))
    return train, test
