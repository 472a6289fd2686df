"""Batches on their way to disk: ids numbered as they turn up, one plain file a column."""

import warnings
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from rslib.sources.columns import ARROW_TEXT, is_text
from rslib.sources.errors import SourceError
from rslib.sources.locate import BadValue, TooLarge

__all__ = ["MAX_IDS", "TYPES", "Spool", "Vocabulary"]

MAX_IDS = 2**31         # internal ids are int32
_NO_IDS = pa.array(["nan", "NaN", "NULL", "null", "None", "N/A", "NA", "<NA>"], ARROW_TEXT)


class Vocabulary:
    """The distinct ids of one column, numbered as they turn up."""

    def __init__(self, role):
        self.role = role
        self.known = None
        self.waiting = []

    def codes(self, column):
        """Take a pyarrow column of ids; return the numbers of those that have waited long enough.

        A look-up costs as much as all known ids, so as many rows wait for the next one.
        """
        self.waiting.append(column)
        if sum(map(len, self.waiting)) < len(self.known or ()):
            return np.empty(0, np.int32)
        return self.rest()

    def rest(self):
        """Return the numbers of all ids that wait, new ones included."""
        if not self.waiting:
            return np.empty(0, np.int32)
        column, self.waiting = pa.concat_arrays(self.waiting).dictionary_encode(), []
        ids = column.dictionary
        if is_text(ids.type):
            ids = pc.utf8_trim_whitespace(ids)
            if pc.any(pc.equal(ids, "")).as_py():
                raise BadValue(f"an empty {self.role}")
        known = ids[:0] if self.known is None else self.known
        number = pc.index_in(ids, value_set=known)
        new = ids.filter(number.is_null()).unique()     # trimmed, two of them may be one
        self.known = pa.concat_arrays([known, new])
        number = pc.coalesce(number, pc.add(pc.index_in(ids, value_set=new), len(known)))
        return number.take(column.indices).to_numpy().astype(np.int32)

    def _as_integers(self, label):
        """Make text ids integers where all of them are written as such; 7.0 is 7."""
        whole = pc.match_substring_regex(self.known, r"^(0|-?[1-9][0-9]*)(\.0+)?$")
        if pc.all(whole).as_py():
            try:
                self.known = pc.replace_substring_regex(self.known, r"\.0+$", "").cast(pa.int64())
            except pa.ArrowInvalid:
                raise TooLarge(self.role) from None
        elif pc.any(whole).as_py():
            others = self.known.filter(pc.invert(whole))
            if pc.all(pc.is_in(others, value_set=_NO_IDS)).as_py():
                raise TooLarge(self.role)       # 1, 2 and NaN: the slow pass says where
            text = others[0].as_py()
            warnings.warn(f"{label}: {self.role} ids hold text ({text[:40]!r}), so all of them "
                          "are kept as text", stacklevel=2)

    def ranked(self, label):
        """Return the ids in ascending order, and the place there of each number given out."""
        if len(self.known) >= MAX_IDS:
            raise SourceError(f"{label}: {len(self.known):,} different {self.role}s are too many "
                              f"for the store, which numbers them below {MAX_IDS:,}")
        if is_text(self.known.type):
            self._as_integers(label)
        order = pc.array_sort_indices(self.known).to_numpy()
        ids = self.known.take(pa.array(order))
        first = np.ones(len(ids), bool)
        first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
        place = np.empty(len(order), np.int32)
        place[order] = np.cumsum(first) - 1     # 7 and 7.0 have one place
        return (ids if first.all() else ids.filter(pa.array(first))), place


TYPES = {"user": np.int32, "item": np.int32, "rating": np.float32, "time": np.int64}


class Spool:
    """The columns of the batches so far, each in a file of its own."""

    def __init__(self, folder: Path):
        self.paths = {name: folder / f"{name}.spool" for name in TYPES}
        self.ids = {role: Vocabulary(role) for role in ("user", "item")}
        self.files = {name: open(path, "wb") for name, path in self.paths.items()}
        self.n_rows = self.n_zeros = 0

    def append(self, batch):
        for role, vocabulary in self.ids.items():
            self.files[role].write(vocabulary.codes(getattr(batch, role)))
        self.files["rating"].write(np.ascontiguousarray(batch.rating))
        if batch.time is not None:
            self.files["time"].write(np.ascontiguousarray(batch.time))
        self.n_rows += len(batch.rating)
        self.n_zeros += batch.n_zeros

    def ranked(self, label):
        """Return for user and item what `Vocabulary.ranked` does, once all batches are there."""
        for role, vocabulary in self.ids.items():
            self.files[role].write(vocabulary.rest())
        return {role: vocabulary.ranked(label) for role, vocabulary in self.ids.items()}

    def close(self):
        for file in self.files.values():
            file.close()

    def take(self, name):
        """Return a column and delete its file."""
        column = np.fromfile(self.paths[name], TYPES[name])
        self.paths[name].unlink()
        return column
