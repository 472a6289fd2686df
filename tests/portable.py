"""The outputs of the notebooks on other processors, as far as one machine can tell.

    python tests/portable.py [MODE ...] [--jobs N] [--notebooks PATH ...]

A mode compares the committed outputs once more: with the instructions of an older processor, with
two threads, or with noise in the last places of every model's numbers (`noise.py`), which finds on
any processor what hangs on last bits. The cells that differ are listed at the end with their modes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from pathlib import Path

HOME = Path(__file__).parents[1]
NOISE = str(Path(__file__).with_name("noise.py"))


def numpy_with(*kept):
    """Variable that takes from NumPy all instructions it would choose at run time, but these."""
    from numpy._core._multiarray_umath import __cpu_dispatch__, __cpu_features__
    taken = [each for each in __cpu_dispatch__ if __cpu_features__[each] and each not in kept]
    return {"NPY_DISABLE_CPU_FEATURES": " ".join(taken)}


def modes():
    """Environment of every mode by its name; that of "host" is empty: this machine as it is."""
    haswell = {"NUMBA_CPU_NAME": "haswell", "NUMBA_CPU_FEATURES": "+avx2,+fma,-avx512f",
               "OPENBLAS_CORETYPE": "Haswell"} | numpy_with("AVX2", "FMA3", "X86_V3")
    nehalem = {"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+sse4.2,-avx",
               "OPENBLAS_CORETYPE": "Nehalem"} | numpy_with()
    noise = {f"noise-{seed}": {"PYTHONSTARTUP": NOISE, "RSLIB_NOISE": str(seed)} for seed in (1, 2)}
    return {"host": {}, "two-threads": {"NOTEBOOK_THREADS": "2"}, "haswell": haswell,
            "nehalem": nehalem} | noise


def compare(environment, notebooks, jobs):
    """Run the comparison in one mode; return its exit code and the cells that differ."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        run = subprocess.run([sys.executable, "-m", "pytest", "-q", "-n", str(jobs),
                              "--dist", "loadfile", f"--junitxml={report}", *notebooks],
                             cwd=HOME, env=os.environ | environment)
        cases = ElementTree.parse(report).iter("testcase") if report.exists() else ()
        return run.returncode, [f"{case.get('classname').removeprefix('notebooks.')} "
                                f"{case.get('name')}" for case in cases
                                if case.find("failure") is not None
                                or case.find("error") is not None]


def main():
    known = modes()
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("modes", nargs="*", choices=[*known, []], metavar="MODE",
                        help=f"{', '.join(known)}; none means all")
    parser.add_argument("--notebooks", nargs="+", default=["notebooks"])
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    codes, where = {}, defaultdict(list)
    for mode in options.modes or known:
        print(f"\n== {mode}", flush=True)
        codes[mode], cells = compare(known[mode], options.notebooks, options.jobs)
        for cell in cells:
            where[cell].append(mode)
    print("\nexit codes:", ", ".join(f"{mode} {code}" for mode, code in codes.items()))
    for cell, found in sorted(where.items()):
        print(f"{cell}: {', '.join(found)}")
    return 1 if any(codes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
