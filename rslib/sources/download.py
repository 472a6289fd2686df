"""The published sets by name: where they are looked for, and fetched from."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from rslib import HOME
from rslib.sources.archives import is_archive
from rslib.sources.errors import SourceError, SourceMissing

__all__ = ["PUBLISHED", "Published", "check", "find", "here"]

_GROUPLENS = "https://files.grouplens.org/datasets/"
_TIMEOUT = 30       # seconds
_BUNDLED = Path(__file__).parents[1] / "data"       # an installed package's; a checkout has HOME's


@dataclass(frozen=True)
class Published:
    """A set that goes by a name.

    Parameters
    ----------
    places : tuple of str
        Folders and archives it may lie in, tried in this order.
    url : str or None
        Archive at the publisher.
    md5 : str or None
        Checksum that the publisher gives; without one nothing is downloaded.
    counts : bool
        Whether it holds counts, not ratings.
    """

    places: tuple[str, ...]
    url: str | None = None
    md5: str | None = None
    counts: bool = False


def _movielens(name, md5=None, *more):
    return Published((name, *more, f"{name}.zip"), f"{_GROUPLENS}movielens/{name}.zip", md5)


PUBLISHED = {
    "ml-latest-small": _movielens("ml-latest-small"),
    "ml-100k": _movielens("ml-100k", "0e33842e24a9c977be4e0107933c0723"),
    "ml-1m": _movielens("ml-1m", "c4d9eecfca2ab87c1945afe126590906"),
    "ml-10m": _movielens("ml-10m", "ce571fd55effeba0271552578f2648bd", "ml-10M100K"),
    "ml-20m": _movielens("ml-20m", "cd245b17a1ae2cc31bb14903e1204af3"),
    "ml-25m": _movielens("ml-25m", "6b51fb2759a8657d3bfcbfc42b592ada"),
    "ml-32m": _movielens("ml-32m", "d472be332d4daa821edc399621853b57"),
    "netflix": Published(("netflix", "netflix.zip", "netflix.tar", "training_set.tar")),
    "lastfm-2k": Published(("lastfm-2k", "hetrec2011-lastfm-2k", "hetrec2011-lastfm-2k.zip"),
                           f"{_GROUPLENS}hetrec2011/hetrec2011-lastfm-2k.zip", counts=True),
}


def _folders():
    """Folders searched for a set: RSLIB_DATA, then data/."""
    given = os.environ.get("RSLIB_DATA")
    if given and not Path(given).is_dir():
        raise SourceMissing(f"RSLIB_DATA names {given}, which is not a folder")
    return [*([Path(given)] if given else []), HOME / "data"]


def here(name):
    """Return the folder or archive of a published set where it is on this machine, or None.

    Raises
    ------
    SourceMissing
        If RSLIB_DATA is no folder.
    """
    places = (folder / place for folder in (*_folders(), _BUNDLED)
              for place in PUBLISHED[name].places)
    return next((path for path in places if path.exists()), None)


def find(name):
    """Return the folder or archive of a published set, downloading it if it is nowhere here.

    Raises
    ------
    SourceMissing
        If it is nowhere here and cannot be downloaded; the line says where to put it.
    SourceError
        If what was downloaded has the wrong checksum; nothing is kept.
    """
    return here(name) or _download(name, " or ".join(map(str, _folders())))


def _download(name, searched):
    published, folder = PUBLISHED[name], HOME / "data"
    if published.url is None:
        raise SourceMissing(
            f"{name} is not in {searched}, and its publisher offers it no more: put training_set/ "
            "or training_set.tar or combined_data_1.txt to 4, with probe.txt, qualifying.txt and "
            f"movie_titles.txt, in {folder / name}")
    if published.md5 is None:
        raise SourceMissing(f"{name} is not in {searched}, where it belongs: fetch "
                            f"{published.url} and put it in {folder}")
    import pooch  # only here: in a notebook its import warns of a missing progress bar

    made = not folder.exists()
    pooch.get_logger().setLevel("WARNING")
    try:
        return Path(pooch.retrieve(
            published.url, f"md5:{published.md5}", f"{name}.zip", folder,
            downloader=pooch.HTTPDownloader(progressbar=True, timeout=_TIMEOUT)))
    except ValueError:
        raise SourceError(f"{published.url}: the download has not the checksum of the published "
                          "archive and was not kept; try again") from None
    except OSError as error:        # what requests raises is one
        raise SourceMissing(f"{name} is not in {searched} and could not be downloaded "
                            f"({type(error).__name__}): fetch {published.url} by hand and put it "
                            f"in {folder}") from None
    finally:
        if made and folder.exists() and not any(folder.iterdir()):
            folder.rmdir()


def check(name, path):
    """Refuse an archive that goes by the name of a published set and is not that archive.

    Raises
    ------
    SourceError
        If the checksum differs.
    """
    known = PUBLISHED[name].md5
    if known is None or not is_archive(path):
        return
    with open(path, "rb") as file:
        found = hashlib.file_digest(file, "md5").hexdigest()
    if found != known:
        raise SourceError(f"{path}: md5 {found}, the published archive has {known}; it is "
                          f"truncated or altered: fetch {PUBLISHED[name].url} again, or load it "
                          "by its path to read it as it is")
