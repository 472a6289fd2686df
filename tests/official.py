"""Tiny files in the official formats, written by the tests that read them."""

import io
import tarfile
import zipfile

HEADER = "userId,movieId,rating,timestamp\n"
GOOD = "1,10,3.5,964982703\n2,10,4,964982704\n"

# user, movie, stars, seconds; movie 30 has no rating, users are not in order
RATINGS = [(7, 20, 4, 978300760), (7, 10, 3, 978300700), (2, 20, 5, 978400000),
           (2, 40, 1, 978300800), (9, 10, 2, 988300760)]
TITLES = {10: "Toy Story, The (1995)", 20: "Misérables, Les (1998)", 30: "Unseen (1999)",
          40: "Alien (1979)"}


def write_folder(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def write_zip(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_tar(path, files, mode="w"):
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content.encode()))
    return path


def lines(mark, rows=RATINGS):
    return "".join(mark.join(map(str, row)) + "\n" for row in rows)


def movielens_files(name, half=0.0):
    rows = [(user, item, stars - half, seconds) for user, item, stars, seconds in RATINGS]
    if name == "ml-100k":
        return {"u.data": lines("\t"),
                "u.item": lines("|", TITLES.items()).encode("latin-1")}
    if name in ("ml-1m", "ml-10m"):
        encoding = "latin-1" if name == "ml-1m" else "utf-8"
        titles = "".join(f"{key}::{title}::Drama\n" for key, title in TITLES.items())
        extra = {"users.dat": "1::F::1::10::48067\n"} if name == "ml-1m" else {}
        return {"ratings.dat": lines("::", rows), "movies.dat": titles.encode(encoding)} | extra
    titles = "movieId,title,genres\n" + "".join(f'{key},"{title}",Drama\n'
                                               for key, title in TITLES.items())
    return {"ratings.csv": HEADER + lines(",", rows), "movies.csv": titles}


def assert_reads_ratings(ratings, half=0.0):
    info = ratings.info
    assert info.user_ids.tolist() == [2, 7, 9] and info.item_ids.tolist() == [10, 20, 40]
    rows = zip(info.user_ids[ratings.users], info.item_ids[ratings.items], ratings.values,
               strict=True)
    assert list(rows) == [(user, item, stars - half) for user, item, stars, _ in RATINGS]


ARTISTS = {10: '"Weird Al" Yankovic', 20: "Björk", 30: "Unheard", 40: "Royce da 5'9\""}


def lastfm_files():
    """The rows of RATINGS as plays, ten times as many."""
    plays = "".join(f"{user}\t{item}\t{10 * stars}\n" for user, item, stars, _ in RATINGS)
    artists = "".join(f"{key}\t{name}\thttp://a/{key}\thttp://b/{key}.jpg\n"
                      for key, name in ARTISTS.items())
    return {"user_artists.dat": "userID\tartistID\tweight\n" + plays,
            "artists.dat": "id\tname\turl\tpictureURL\n" + artists}


NETFLIX = {1: [(7, 4, "2005-09-06"), (2, 5, "2005-09-05")], 3: [(9, 1, "2005-12-31")],
           2: [(7, 3, "1999-11-11"), (2, 3, "2005-09-06")]}
BESIDE = {"probe.txt": "1:\n2\n2:\n7\n", "qualifying.txt": "3:\n7,2005-12-31\n2,2006-01-01\n",
          "movie_titles.txt": "1,2003,Dinosaur Planet\n2,2004,Isle, of Man\n3,NULL,Caf\xe9\n"
          .encode("latin-1")}


def section(movie):
    return f"{movie}:\n" + "".join(f"{u},{r},{d}\n" for u, r, d in NETFLIX[movie])


SINGLE = {f"mv_{movie:07d}.txt": section(movie) for movie in sorted(NETFLIX)}
COMBINED = {"combined_data_1.txt": section(1), "combined_data_2.txt": section(2).rstrip("\n"),
            "combined_data_3.txt": section(3) + "4:\n", "combined_data_4.txt": ""}


def netflix_folder(folder, kind):
    write_folder(folder, BESIDE)
    if kind == "tar":
        shuffled = dict(reversed(SINGLE.items()))
        write_tar(folder / "training_set.tar", {f"training_set/{k}": v
                                                for k, v in shuffled.items()})
    elif kind == "folder":
        write_folder(folder / "training_set", SINGLE)
    else:
        write_folder(folder, {name: text.replace("\n", "\r\n") if kind == "crlf" else text
                              for name, text in COMBINED.items()})
    return folder
