"""Waiting for something that another process does, with a limit that only a hang can reach."""

import time

HANG = 900      # seconds


def wait_until(condition, process=None):
    """Wait until ``condition()`` is true; fail if ``process`` ends before, or after `HANG`."""
    limit = time.monotonic() + HANG
    while not condition():
        assert process is None or process.poll() is None, f"ended with code {process.returncode}"
        assert time.monotonic() < limit, f"not within {HANG} seconds"
        time.sleep(0.02)
