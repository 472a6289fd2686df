"""What is said while notebooks run: each as it ends, and how long the others will take."""

import json
import re
import time
from pathlib import Path

__all__ = ["Progress", "heading_of", "last_duration", "title_of"]


def last_duration(out):
    """Return the seconds that an executed notebook took, or None where there is none."""
    try:
        metadata = json.loads(Path(out).read_text(encoding="utf-8"))["metadata"]
        return float(metadata["papermill"]["duration"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def heading_of(notebook):
    """Return the number of a notebook and its first heading; its name in the place of one."""
    number, _, words = notebook.stem.partition("_")
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    text = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    heading = re.search(r"^# +(?:\d+ *·? *)?(.+?) *$", text, re.M)
    return number, re.sub(r"[*`$]", "", heading[1]) if heading else words.replace("_", " ")


def title_of(notebook):
    """Return number and title of a notebook, as ``08 Biases and interactions``."""
    number, words = heading_of(notebook)
    return f"{number} {words.partition(':')[0].strip()}"


def _minutes(seconds):
    minutes = round(seconds / 60)
    return ("less than a minute left" if seconds < 45 else
            "about a minute left" if minutes < 2 else f"about {minutes} minutes left")


class Progress:
    """How far some tasks have come.

    Time left is what the tasks that are left took the last time, or what their size lets expect,
    times what those that ended took over what was expected of them. Before one has ended nothing
    is said.

    Parameters
    ----------
    names : list of str
    jobs : int
        Tasks at the same time.
    expected : dict of str to float or None
        Seconds of each, in any unit; None takes all for equal.
    titles : dict of str to str or None
        What to call each; None calls it by its name.
    """

    def __init__(self, names, jobs, expected=None, titles=None):
        self.expected = expected or dict.fromkeys(names, 1.0)
        self.titles = titles or {}
        self.jobs, self.n_tasks, self.n_ended = jobs, len(names), 0
        self.left, self.begun = list(names), {}
        self.took = self.thought = 0.0

    def begin(self, name):
        """Start the clock of a task."""
        self.begun[name] = time.monotonic()

    def end(self, name, failure=None):
        """Return the line that says how a task ended."""
        seconds = time.monotonic() - self.begun.pop(name)
        self.left.remove(name)
        self.n_ended += 1
        if failure is None:     # one that failed took less than it takes
            self.took += seconds
            self.thought += self.expected[name]
        said = (f"{'done' if failure is None else 'FAILED'}: {self.titles.get(name, name)}, "
                f"{seconds:.0f} s ({self.n_ended} of {self.n_tasks})")
        left = self.seconds_left()
        return said + (f"; {_minutes(left)}" if left else "") + (f": {failure}" if failure else "")

    def seconds_left(self):
        """Return the seconds until the last task ends, or None while there is no ground to say."""
        if not self.thought or not self.left:
            return None
        now, rate = time.monotonic(), self.took / self.thought
        each = [max(self.expected[name] * rate - (now - self.begun.get(name, now)), 0)
                for name in self.left]
        return max(sum(each) / self.jobs, *each)
