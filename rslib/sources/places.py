"""From a path and options to the source that is there."""

import re
from dataclasses import asdict
from functools import partial
from pathlib import PurePath

from rslib.sources import lastfm, matrix, movielens, netflix, own
from rslib.sources.archives import (
    PARQUET,
    TABLES,
    is_archive,
    members,
    one_file,
    suffix_of,
    tables_in,
)
from rslib.sources.build import Source
from rslib.sources.errors import SourceError
from rslib.sources.roles import measure_of
from rslib.sources.understood import understood_of

__all__ = ["KNOWN_FILES", "beside", "own_source", "source_maker"]

KNOWN_FILES = re.compile(r"u\.data|ratings\.dat|training_set|mv_\d+\.txt|combined_data_\d\.txt"
                         r"|training_set\.tar|user_artists\.dat")

_PART = re.compile(r"combined_data_\d\.txt")


def _measure(reader, form):
    """What the values of a table of interactions count; None of ratings."""
    if not form.interactions:
        return None
    if isinstance(reader, matrix.MatrixTable):
        return "counts"
    place = reader.positions.get("rating")
    return "clicks" if place is None else measure_of(reader.names[place])


def own_source(name, label, reader, options, scale=None):
    """Return the source of a table of the user's own."""
    form = options[1]
    return Source(name, label, reader, scale=scale, duplicates=form.duplicates,
                  understood=understood_of(reader, form, scale) | {"path": label},
                  measure=_measure(reader, form))


def _table_source(path, files, options, scale):
    """Return the source of one text table, or of Parquet files of one layout."""
    reader = (own.parquet_table(files, *options) if len(files) > 1
              else _reader_of(files[0], options))
    name = path.name.split(".")[0] or path.name
    return own_source(name if path.is_file() else path.name, str(path), reader, options, scale)


def _published_source(name, path, files, scale):
    """Return the source of files in one of the official formats, or None."""
    found = movielens.recognise(files)
    if found is not None:
        reader, titles, declared = found
        return Source(name, str(path), reader, titles, scale or declared)
    found = lastfm.recognise(files)
    if found is not None:
        return Source(name, str(path), *found, scale, duplicates="sum", measure=lastfm.MEASURE)
    found = netflix.recognise(files)
    if found is not None:
        return Source(name, str(path), *found, scale or movielens.WHOLE_STARS,
                      partial(netflix.extras, files))
    return None


def _with_all_columns(files, options):
    """Return those of some tables that have a column for user, item and rating."""
    found = []
    for file in files:
        try:
            reader = _reader_of(file, options)
        except SourceError:
            continue
        found.append((file, reader))
    return found


def _reader_of(file, options):
    suffix = suffix_of(file.label)
    if options[1].wide and suffix not in PARQUET:
        return matrix.matrix_table(file, suffix, *options)
    return (own.parquet_table([file], *options) if suffix in PARQUET
            else own.text_table(file, suffix, *options))


def _folder_source(name, path, options, scale):
    """Return the source of a folder or an archive: published, Parquet parts or one table."""
    given, form = options
    files = members(path)
    plain = not any(value is not None for value in given.values()) and not form.given()
    published = _published_source(name, path, files, scale)
    if published is not None and plain:
        return published
    if published is not None:
        raise SourceError(f"{path}: the columns of a published format are known; user=, item=, "
                          "rating=, time= and the form are for a table of your own")
    tables = tables_in(path)
    parts = [file for file in tables if suffix_of(file.label) in PARQUET]
    if parts and path.is_dir():
        return _table_source(path, parts, options, scale)
    packed = [name for name in files if is_archive(PurePath(name))]
    if len(tables) == 1 and not packed:
        return own_source(path.name.split(".")[0], str(path), _reader_of(tables[0], options),
                          options, scale)
    fit = _with_all_columns(tables, options)
    if len(fit) == 1:
        return own_source(path.name.split(".")[0], str(path), fit[0][1], options, scale)
    if fit:
        raise SourceError(f"{path}: {len(fit)} tables of ratings; say which: "
                          + " or ".join(repr(file.label) for file, _ in fit[:6]))
    if packed:
        raise SourceError(f"{path}: no table of ratings, but an archive in it, {packed[0]!r}; "
                          "unpack it and name what it holds")
    raise SourceError(f"{path}: no ratings in a known format: u.data, ratings.dat, ratings.csv, "
                      "mv_*.txt, combined_data_1.txt to 4, user_artists.dat, Parquet parts, or "
                      "one table with columns for user, item and rating")


def beside(path):
    """Return the files beside one combined_data file that are read with it."""
    if not _PART.fullmatch(path.name) or not path.is_file():
        return []
    return [path.with_name(name) for name in netflix.BESIDE if path.with_name(name).is_file()]


def _one_part(path, scale):
    """Return the source of one combined_data file without the other three."""
    files = {name: file for name, file in members(path.parent).items()
             if not name.startswith("combined_data_") or name == path.name}
    return Source(path.stem, str(path), *netflix.recognise(files, alone=True),
                  scale or movielens.WHOLE_STARS, partial(netflix.extras, files))


def source_maker(name, path, options, scale):
    """Return what makes the source, once it is known that the store has to be built.

    Parameters
    ----------
    name : str
    path : Path
        A file, a folder or an archive, or a member of one as archive.zip:member.
    options : (dict, Form)
        The columns that were given, and the form.
    scale : (float, float) or None

    Raises
    ------
    SourceError
        If the name says that it can't be read.
    """
    archive, member = inside(path)
    if member:
        return partial(_member_source, path, archive, member, options, scale)
    if _PART.fullmatch(path.name):
        return partial(_one_part, path, scale)
    if path.is_file() and suffix_of(path.name) in TABLES:
        return partial(_table_source, path, [one_file(path)], options, scale)
    if path.is_file() and not is_archive(path):
        raise SourceError(f"{path}: not a file that can be read; expected one of "
                          f"{' '.join(TABLES)}, these packed by gz, bz2 or "
                          "xz, a zip, a tar or a folder")
    return partial(_folder_source, name, path, options, scale)


def inside(path):
    """Return the archive and the member that a path such as a.zip:b/ratings.csv names."""
    found = re.fullmatch(r"(.*\.(?:zip|tar|tar\.gz|tgz|tar\.bz2|tar\.xz)):(.+)", str(path), re.I)
    if path.exists() or not found:
        return path, None
    return type(path)(found[1]), found[2]


def _member_source(path, archive, member, options, scale):
    found = [file for file in tables_in(archive) if file.label == f"{archive}:{member}"]
    if not found:
        raise SourceError(f"{archive}: it holds no table {member!r}")
    name = member.rpartition("/")[2].split(".")[0]
    return own_source(name, str(path), _reader_of(found[0], options), options, scale)


def key_of(options):
    """Return what a store depends on beside the files."""
    given, form = options
    options = asdict(form)
    if not form.interactions:       # so the stores of ratings keep their names
        del options["interactions"]
    return {"columns": given, "form": options}
