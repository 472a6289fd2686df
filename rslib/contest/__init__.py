"""The prize master: a contest with hidden labels, one submission a day and a leaderboard.

`open_contest` deals a split into two folders. The **hand-out** is for everyone: the training
ratings (those of probe among them), probe.txt and qualifying.txt in the formats of the Netflix
Prize, and the rules. The **master's folder** holds the labels, which of them are quiz and which are
test, and the board with its hidden test scores. `PrizeMaster` works on that folder; `serve` puts it
behind a Unix socket, and `Client` is all that a competitor needs.

What is guarded, and by what
----------------------------
A competitor may be any process that reads the hand-out, speaks to the socket in any way it likes
and submits what it wants.

- *The interface* never sends a label, a test score before the end, or which rows are quiz. A reply
  to a submission holds the quiz RMSE at four decimals and nothing else that depends on labels. The
  server never opens a path that a competitor names: a client sends bytes.
- *The hand-out* has no label in any file, and the order of its rows (by movie, then by user) is the
  same whichever rows are quiz.
- *The file system* guards the master's folder (mode 0700, its files 0600) against **other OS users
  only**. So the master must run as an OS user of its own: whoever runs as the same user, or as
  root, can read the labels, and no program can change that. With one account for all, the labels
  are kept by good faith.
- *Who submits* is told by the kernel (SO_PEERCRED), not by the client: a team belongs to the OS
  user that joined it, and only its members can spend its day.

Not guarded: labels that can be had elsewhere (MovieLens is public: a class that may cheat needs
ratings nobody can download), what quiz scores tell by themselves to a patient team, and a flood of
requests by a local user.

References
----------
Koren, The BellKor Solution to the Netflix Grand Prize (2009), section II: probe, quiz and test.
Bennett and Lanning, The Netflix Prize, KDD Cup and Workshop (2007): formats and rules.
"""

from rslib.contest.handout import Handout, read_handout, write_submission
from rslib.contest.master import PrizeMaster, Receipt
from rslib.contest.opening import open_contest
from rslib.contest.rules import ContestError, Rules, SimulatedClock, SystemClock
from rslib.contest.service import Client, serve

__all__ = ["Client", "ContestError", "Handout", "PrizeMaster", "Receipt", "Rules",
           "SimulatedClock", "SystemClock", "open_contest", "read_handout", "serve",
           "write_submission"]
