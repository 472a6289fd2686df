"""Who takes part: names, owners, and two teams that become one."""

from rslib.contest.rules import ContestError

__all__ = ["join", "known", "merge", "require_owner"]


def _is_name(name):
    return (isinstance(name, str) and 0 < len(name) <= 40 and name.isprintable()
            and name == name.strip())


def _require_new(book, name):
    if not _is_name(name):
        raise ContestError("a team's name has 1 to 40 printable characters and no outer blanks, "
                           f"not {str(name)[:60]!r}")
    if book.find(name) is not None:
        raise ContestError(f"there is a team {name!r} already; choose another name")


def known(book, name):
    """Return the name of a team as it was registered, unless it is unknown or merged."""
    row = book.find(name) if _is_name(name) else None
    if row is None:
        raise ContestError(f"no team {str(name)[:40]!r}; join first")
    if row["merged_into"] is not None:
        raise ContestError(f"team {row['name']!r} is part of {book.heads()[row['name']]!r} now; go "
                           "by that name")
    return row["name"]


def require_owner(book, team, uid):
    """Raise unless the OS user ``uid`` joined ``team`` or a part of it; None may always."""
    if uid is not None and uid not in book.owners(team):
        raise ContestError(f"team {team!r} belongs to another OS user; submit as one of its "
                           "members")


def join(book, name, uid, now, most):
    """Add a new team of ``uid``, who may have ``most``."""
    _require_new(book, name)
    if uid is not None and book.teams_of(uid) >= most:
        raise ContestError(f"OS user {uid} has joined {book.teams_of(uid)} team(s) already, the "
                           "most that is allowed; ask the teacher to merge teams instead")
    book.add_team(name, uid, now)


def merge(book, name, first, second, now):
    """Make one team of two, under a new name or that of one of them."""
    parts = {known(book, first), known(book, second)}
    if len(parts) < 2:
        raise ContestError(f"a team cannot merge with itself: {first!r}")
    row = book.find(name) if _is_name(name) else None
    if row is None or row["name"] not in parts:
        _require_new(book, name)
        book.add_team(name, None, now)
    else:
        name = row["name"]
    for part in parts - {name}:
        book.move_team(part, name)
