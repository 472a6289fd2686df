"""Which number stands for which user and item of the source, whether two sets are the same, and
where ratings came from."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from rslib.backend import asnumpy

__all__ = ["Info", "Numbering", "digest_of_rows"]


def _digest(ids):
    """A digest of ids that two columns share when they hold the same ids in the same order."""
    ids = np.asarray(ids)
    if ids.dtype.kind in "iu":
        return hashlib.blake2b(ids.astype("<i8").tobytes(), digest_size=16).hexdigest()
    digest = hashlib.blake2b(digest_size=16)
    for text in ids.tolist():
        digest.update(f"{len(str(text))}:{text}".encode())
    return digest.hexdigest()


@dataclass(frozen=True, eq=False)
class Numbering:
    """Raw ids by number: it travels with ratings, pairs and fitted models.

    Numbers mean something only within a numbering: item 7 of one file is not item 7 of another.
    Where two numberings meet they must say the same; what one of them doesn't know is not compared.

    Parameters
    ----------
    user_ids, item_ids : array (n_users,), (n_items,) or None
        The ids of the source, integers or text: ``item_ids[i]`` is what the source calls item i.
        On the host.
    titles : array of str (n_items,) or None
        Titles of the items in the same order; they are not compared.
    first_day : str or None
        ISO date of day 0.
    """

    user_ids: np.ndarray | None = None
    item_ids: np.ndarray | None = None
    titles: np.ndarray | None = None
    first_day: str | None = None

    @cached_property
    def digests(self):
        """A digest of the ids of users and of items, None where they are not known."""
        return {name: None if ids is None else _digest(ids)
                for name, ids in (("users", self.user_ids), ("items", self.item_ids))}

    def differs(self, other, *, users=True, days=True):
        """Return in what two numberings differ: "users", "items", "days", or None.

        Parameters
        ----------
        other : Numbering
        users, days : bool
            Whether these are compared, too.
        """
        if other is self:
            return None
        for name, compared in (("items", True), ("users", users)):
            ours, theirs = self.digests[name], other.digests[name]
            if compared and None not in (ours, theirs) and ours != theirs:
                return name
        if days and None not in (self.first_day, other.first_day):
            return "days" if self.first_day != other.first_day else None
        return None

    def title(self, item):
        """Return the title of item ``item``, or its raw id, or its number where neither is known.
        """
        names = self.item_ids if self.titles is None else self.titles
        return str(int(item) if names is None else names[int(item)])

    @cached_property
    def _places(self):
        return {side: None if ids is None else {raw: at for at, raw in enumerate(ids.tolist())}
                for side, ids in (("user", self.user_ids), ("item", self.item_ids))}

    def numbers(self, side, raw_ids):
        """Return the numbers of raw ids.

        Parameters
        ----------
        side : {"user", "item"}
        raw_ids : list of int or str
            As the source has them.

        Returns
        -------
        int32 array (n,)

        Raises
        ------
        ValueError
            Where an id is unknown, naming it, or no ids are known at all.
        """
        places = self._places[side]
        if places is None:
            raise ValueError(f"nothing is known of the ids of {side}s: give their numbers")
        unknown = next((raw for raw in raw_ids if raw not in places), None)
        if unknown is not None:
            raise ValueError(f"no {side} {unknown!r}: there are {len(places):,}, such as "
                             + ", ".join(map(repr, list(places)[:3])))
        return np.array([places[raw] for raw in raw_ids], np.int32)

    def with_users(self, user_ids):
        """Return the same items and days with other users."""
        return replace(self, user_ids=user_ids)

    def arrays(self):
        """Return what is known as plain arrays by name, to save; see `from_arrays`."""
        found = {}
        for name in ("user_ids", "item_ids", "titles"):
            column = getattr(self, name)
            if column is None:
                continue
            column = np.asarray(column)
            if column.dtype.kind in "iu":
                found[name] = column
                continue
            encoded = [str(text).encode() for text in column.tolist()]
            found[f"{name}.text"] = np.frombuffer(b"".join(encoded), np.uint8)
            found[f"{name}.ends"] = np.cumsum([len(text) for text in encoded], dtype=np.int64)
        return found

    @classmethod
    def from_arrays(cls, arrays, first_day=None):
        """Return the numbering that `arrays` gave these arrays of."""
        known = {}
        for name in ("user_ids", "item_ids", "titles"):
            if name in arrays:
                known[name] = arrays[name]
            elif f"{name}.text" in arrays:
                text, ends = arrays[f"{name}.text"].tobytes(), arrays[f"{name}.ends"].tolist()
                starts = [0, *ends[:-1]]
                known[name] = np.array([text[start:end].decode() for start, end in
                                        zip(starts, ends, strict=True)], np.dtypes.StringDType())
        return cls(**known, first_day=first_day)


def _mixed(words):
    """Scatter 64-bit words, one to one (the finaliser of splitmix64)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


@dataclass(frozen=True, eq=False)
class Info:
    """Where ratings came from, and the names behind their ids.

    Parameters
    ----------
    name : str
        Name of the data set, or the stem of a user's file.
    user_ids, item_ids : array (n_users,), (n_items,)
        The ids of the source: ``item_ids[i]`` is what the file calls item i.
    titles : array of str (n_items,) or None
        Titles of the items in the same order.
    scale : (float, float)
        Lowest and highest rating, in stars; predictions are clipped to it before they are scored.
    first_day : str or None
        ISO date of day 0.
    n_duplicates : int
        Rows of pairs that came before: the last rating of each was kept, or what was asked for.
    extra : dict
        What only one source has: the probe rows of Netflix, the planted truth of the synthetic set.
    understood : dict
        What was made of a table of one's own: its columns, its delimiter, the unit of its times;
        see `rslib.sources.understood`.
    measure : str or None
        What a value counts where it is no rating: "plays", "purchases", "clicks" or "counts".
    """

    name: str
    user_ids: np.ndarray
    item_ids: np.ndarray
    titles: np.ndarray | None = None
    scale: tuple[float, float] = (1.0, 5.0)
    first_day: str | None = None
    n_duplicates: int = 0
    extra: dict = field(default_factory=dict)
    understood: dict = field(default_factory=dict)
    measure: str | None = None

    @cached_property
    def numbering(self):
        """The ids, titles and first day as a Numbering."""
        return Numbering(self.user_ids, self.item_ids, self.titles, self.first_day)

    def title(self, item):
        """Return the title of item ``item``, or the id of the source where it has none."""
        return self.numbering.title(item)


def digest_of_rows(ratings, seed=0, chunk=1 << 22):
    """Return a 64-bit number that ratings with the same rows share, whatever their order."""
    total = 0
    for start in range(0, len(ratings), chunk):
        rows = slice(start, start + chunk)
        users, items, values, days = (
            None if column is None else asnumpy(column[rows]) for column in
            (ratings.users, ratings.items, ratings.values, ratings.days))
        word = users.astype(np.uint64) << np.uint64(32) | items.astype(np.uint64)
        word = _mixed(word + np.uint64(seed * 0x9E3779B97F4A7C15 % 2**64))
        day = 0 if days is None else days.astype(np.uint64) + np.uint64(1) << np.uint64(32)
        word = _mixed(word ^ (day | (values + np.float32(0)).view(np.uint32).astype(np.uint64)))
        total = (total + int(word.sum(dtype=np.uint64))) % 2**64
    return total
