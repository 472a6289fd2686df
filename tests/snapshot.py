"""What every rung and variant predicts, to compare bit by bit across a change of structure.

    python tests/snapshot.py write FILE      # before
    python tests/snapshot.py compare FILE    # after, on the same machine; 1 if a bit has moved

The rungs are those recorded for the bundled set, with the settings of their records, fitted to
train and probe and asked for quiz and test; the variants are those of the contract tests, on a
planted world. A last argument names what to take: "rungs", "variants", or part of a key.
"""

import json
import sys
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from rslib import HOME, metrics, models, sources, splits
from rslib.files import new_file
from rslib.runs import protocol

RECORDS = HOME / "reports" / "recorded" / "ml-latest-small"


def recorded_models():
    """The model of every recorded rung, and whether it was told which pairs are held out."""
    by_name = {model.__name__: model for model in models.MODELS}
    for path in sorted(RECORDS.glob("*/record.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record["model"] in by_name:
            kind = by_name[record["model"]]
            known = {field.name for field in fields(kind)}
            if lost := set(record["params"]) - known:
                print(f"{path.parent.name}: without {', '.join(sorted(lost))}")
            params = {name: value for name, value in record["params"].items() if name in known}
            yield path.parent.name, kind(**params), record.get("seen", False)


def of_rungs(wanted):
    split = splits.netflix(sources.load("ml-latest-small"), seed=0)
    for rung, model, seen in recorded_models():
        if wanted in f"rungs/{rung}":
            final = protocol.predict_held_out(model, split, seen=seen)
            yield f"rungs/{rung}", final.predictions
            error = metrics.clipped_rmse(final.predictions, split.held_out.values,
                                         split.final.scale)
            print(f"{rung}: {error:.5f}", flush=True)


def of_variants(wanted):
    from test_models import VARIANTS
    from worlds import planted_world
    train, _ = planted_world()
    hidden = np.random.default_rng(1).random(len(train)) < 0.1
    seen, rest = train[hidden].pairs, train[~hidden]
    for at, model in enumerate(VARIANTS):
        key = f"variants/{at}-{type(model).__name__}"
        if wanted not in key:
            continue
        short = {name: 3 for name in ("n_epochs",) if hasattr(model, name)}
        epochs, fitted = [], replace(model).fit(rest, seen=seen)
        yield f"{key}/predict", fitted.predict(train.pairs)
        yield f"{key}/score", fitted.score(np.array([3, 7]))
        stopped = replace(model, **short).fit(
            rest, on_epoch=lambda epoch, model, kept=epochs: kept.append(
                model.predict(rest.pairs[:50])))
        yield f"{key}/epochs", np.array([*epochs, stopped.predict(rest.pairs[:50])])
        for name, ask in (("fold_in", lambda it: it.fold_in(train).predict(train.pairs)),
                          ("objective", lambda it: np.float64(it.objective(rest)))):
            with suppress(NotImplementedError):
                yield f"{key}/{name}", ask(fitted)
        print(key, flush=True)


def main(action, path, wanted=""):
    arrays = dict(each for part in (of_variants, of_rungs) for each in part(wanted))
    if action == "write":
        with new_file(path) as file:
            np.savez_compressed(file, **arrays)
        return 0
    with np.load(path) as file:
        kept = {key: file[key] for key in file.files if wanted in key}
    moved = sorted(key for key in kept.keys() | arrays.keys() if key not in kept
                   or key not in arrays or kept[key].tobytes() != arrays[key].tobytes())
    for key in moved:
        both = key in kept and key in arrays and kept[key].shape == arrays[key].shape
        print(f"moved: {key}", f"by {np.abs(kept[key] - arrays[key]).max():.3g}" if both else "")
    print(f"{len(kept) - len(moved)} of {len(kept)} the same to the last bit")
    return 1 if moved else 0


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))
    sys.exit(main(*sys.argv[1:]))
