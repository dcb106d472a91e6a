"""What a network has learned serves a new task: features of its layers, classified anew.

    python examples/transfer_learning.py                          # CIFAR-10, SqueezeNet 1.1
    python examples/transfer_learning.py --pictures orl-faces.tar.gz --train 200 --test 200
    python examples/transfer_learning.py --pictures scenes/ --model vgg16 --weights vgg16.pth

The network is cut at several layers. On the features of each (a) a linear support vector machine
learns, its C chosen by cross-validation, and (b) a linear layer of ours, everything else frozen. At
the best cut (c) all layers after it are fine-tuned. A run writes one folder with a table of the
cuts and a picture of accuracy and size of the features against depth.
"""

from __future__ import annotations

import argparse
import csv
import io
import os
import statistics
import sys
import tarfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

import salamandre as sal
from salamandre import inspection, models, runs
from salamandre.atomic import write_atomically
from salamandre.checks import real
from salamandre.data.listing import is_hidden, search
from salamandre.data.pictures import formats, suffixes
from salamandre.inspection.probes import full_name
from salamandre.plots.figure import WIDTH, head, new_figure, save_figure, styled
from salamandre.program import Help, WrongUsage, run_program, usage
from salamandre.texts import path_of

try:
    from sklearn.model_selection import GridSearchCV
    from sklearn.svm import LinearSVC
except ImportError:
    sys.exit("transfer_learning: scikit-learn is missing: pip install 'salamandre[inspection]'")

CUTS = {
    "squeezenet1_1": [f"features.{n}" for n in (0, 3, 4, 6, 7, 9, 10, 11, 12)],
    "alexnet": [f"features.{n}" for n in (0, 3, 6, 8, 10)],
    "vgg11": [f"features.{n}" for n in (0, 3, 8, 13, 18)],
    "vgg16": [f"features.{n}" for n in (2, 7, 14, 21, 28)],
    "resnet18": ["relu", "layer1", "layer2", "layer3", "layer4"],
}
FOLDS = 3  # of the cross-validation
Set = tuple[Any, np.ndarray]  # pictures, their rows or features; and labels


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    count, amount = runs.AtLeast(1), runs.AtLeast(0)
    add = parser.add_argument_group("pictures").add_argument
    pictures = "a data set by name, or a folder or .tar.gz with a sub-folder of pictures a class"
    add("--pictures", default="cifar-10", metavar="NAME|PATH", help=f"{pictures}; default cifar-10")
    add("--data-dir", metavar="DIR", help="a folder with the data set's files")
    add("--train", type=count, default=5000, metavar="N", help="pictures to learn, default 5000")
    add("--test", type=count, default=2000, metavar="N", help="pictures to test, default 2000")
    add("--splits", type=count, default=1, metavar="N", help="random splits, default 1")

    add = parser.add_argument_group("features").add_argument
    add("--model", choices=list(CUTS), default="squeezenet1_1", help="default squeezenet1_1")
    add("--weights", metavar="FILE", help="default: SALAMANDRE_WEIGHTS, the cache, the internet")
    add("--cuts", nargs="+", metavar="LAYER", help="default: layers from the first to the last")
    add("--size", type=count, metavar="PIXELS", help="of the inputs, default the weights' own")
    add("--pool", type=count, default=2, metavar="N", help="average over N×N parts, default 2")

    add = parser.add_argument_group("learning").add_argument
    add("--C", nargs="+", type=float, default=[1e-5, 1e-4, 1e-3], help="of the SVM")
    add("--epochs", type=count, default=40, metavar="N", help="of the linear layer, default 40")
    add("--fine-tune", type=amount, default=0, metavar="N", help="epochs of fine-tuning, default 0")
    add("--seed", type=amount, default=0, metavar="N", help="of splits and weights, default 0")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")
    return runs.parse_options(parser, may_change=None)


def load_pictures(options: argparse.Namespace) -> tuple[Any, np.ndarray, tuple[str, ...]]:
    """Return pictures, labels and the names of the classes."""
    path = path_of(options.pictures)
    if not path.exists() and path.name.endswith(".tar.gz") and "SALAMANDRE_DATA" in os.environ:
        path = Path(os.environ["SALAMANDRE_DATA"], path.name)
    if path.is_dir():
        names = [Path(name) for name, *_ in search(path, suffixes()).pictures]
        found = [(str(path / name), name.parts[0] if len(name.parts) > 1 else "") for name in names]
    elif path.is_file() and tarfile.is_tarfile(path):
        found = from_archive(path)
    else:
        train, _ = runs.open_images(options.pictures, vars(options))
        return train.images, train.labels.astype(int), train.classes
    classes = tuple(sorted({name for _, name in found}))
    if len(classes) < 2 or "" in classes:
        raise WrongUsage(
            f"{path} must hold a sub-folder of pictures for each class, two or more, and no other "
            f"pictures"
        )
    labels = np.array([classes.index(name) for _, name in found])
    return [picture for picture, _ in found], labels, classes


def from_archive(path: Path) -> list[tuple[Any, str]]:
    """Return the pictures of an archive, read in memory, with the names of their folders."""
    from PIL import Image

    found = []
    with tarfile.open(path) as archive:
        for member in archive:
            name = Path(member.name)
            kind = name.suffix.lower()
            if not member.isfile() or kind not in suffixes() or any(map(is_hidden, name.parts)):
                continue
            try:
                file = io.BytesIO(archive.extractfile(member).read())
                image = Image.open(file, formats=formats()).convert("RGB")
            except Exception:  # Pillow raises many kinds of errors for damaged files
                raise OSError(f"{name} in {path} cannot be read as a picture") from None
            found.append((np.asarray(image).transpose(2, 0, 1), name.parent.name))
    return found


def split(labels: np.ndarray, train: int, test: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows to learn and to test, as many of each class."""
    random = np.random.default_rng(seed)
    count = labels.max() + 1
    of_class = [random.permutation(np.flatnonzero(labels == label)) for label in range(count)]
    learn, check = train // count, test // count
    least = min(map(len, of_class))
    if learn < FOLDS or check < 1 or learn + check > least:
        raise ValueError(
            f"--train {train} and --test {test} are {learn} and {check} pictures of each of "
            f"{count} classes: they must be at least {FOLDS} and 1, together at most {least}"
        )
    rows = [order[:learn] for order in of_class], [o[learn : learn + check] for o in of_class]
    return random.permutation(np.concatenate(rows[0])), np.concatenate(rows[1])


def standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return features with mean 0 and standard deviation 1 over the training pictures."""
    mean, std = train.mean(axis=0), train.std(axis=0) + 1e-6
    return (train - mean) / std, (test - mean) / std


def support_vectors(train: Set, test: Set, options: argparse.Namespace) -> tuple[float, float]:
    """Return the accuracy of a linear SVM, and its C, chosen by cross-validation."""
    # The dual problem is solved sooner at such a small C, though there are more rows than features.
    machine = LinearSVC(random_state=options.seed, dual=True, tol=0.01)
    search = GridSearchCV(machine, {"C": options.C}, cv=FOLDS).fit(*train)
    return float(search.score(*test)), float(search.best_params_["C"])


def linear_layer(train: Set, test: Set, classes: int, options: argparse.Namespace) -> float:
    """Return the accuracy of a linear layer that has learned the features."""
    network = sal.Network(
        [sal.NeuronLayer(classes, sal.Softmax(), initializer=sal.initializers.Zeros())],
        train[0].shape[1],
        sal.CrossEntropy(),
        sal.Adam(1e-3, weight_decay=1e-4),
        seed=options.seed,
        backend=options.backend,
    )
    engine = sal.Engine(
        network,
        train,
        test,
        batch_size=32,
        seed=options.seed,
        test_every=sal.Epochs(options.epochs),
    )
    engine.run(options.epochs)
    if engine.interrupted:
        raise KeyboardInterrupt
    return engine.evaluate()["accuracy"]


def fine_tuned(model: models.Model, cut: str, sets: list[Set], classes: int, options: Any) -> float:
    """Return the accuracy after fine-tuning of all layers after a cut.

    What comes before is frozen, so its outputs are computed once and are the inputs of the rest.
    """
    rest = layers_after(model, cut, classes)
    shape = inspection.activations(model.network, model.prepare(sets[0][0][:1]), cut).shape[1:]
    network = sal.Network(
        rest,
        shape,
        sal.CrossEntropy(label_smoothing=0.1),
        sal.Adam(3e-4),
        seed=options.seed,
        backend=options.backend,
    )
    learned = model.network.tensors()
    own = {
        n: a if learned[n].shape != a.shape else learned[n] for n, a in network.tensors().items()
    }
    network.load_tensors(own)
    inputs = [
        inspection.features(model.network, x, cut, prepare=model.preprocessing, cache_dir=False)
        for x, _ in sets
    ]
    train, test = ((x.reshape(-1, *shape), y) for x, (_, y) in zip(inputs, sets, strict=True))
    engine = sal.Engine(network, train, test, batch_size=32, seed=options.seed)
    engine.callbacks = (sal.ProgressBar(),)
    engine.run(options.fine_tune)
    if engine.interrupted:
        raise KeyboardInterrupt
    return engine.evaluate()["accuracy"]


def layers_after(model: models.Model, cut: str, classes: int) -> dict[str, sal.Layer]:
    """Return new layers of the network that follow a layer of it, or of one of its parts.

    Raises:
        ValueError: the layer lies deeper.
    """
    layers = models.KNOWN[model.name].layers(classes)
    outer, _, name = cut.rpartition(".")
    if not outer:
        return after(layers, name)
    if outer not in layers:
        raise ValueError(f"--fine-tune cannot begin inside {outer}: leave {cut} out of --cuts")
    names, inside = layers[outer].child_names, layers[outer].children
    inside = after(dict(zip(names, inside, strict=True)), name)
    return {outer: sal.Sequential(inside), **after(layers, outer)}


def after(layers: dict[str, sal.Layer], name: str) -> dict[str, sal.Layer]:
    """Return the layers that follow a layer."""
    names = list(layers)
    return {key: layers[key] for key in names[names.index(name) + 1 :]}


@styled
def draw(rows: list[dict[str, Any]], path: Path, title: str) -> None:
    """Draw accuracy and size of the features against depth."""
    figure, (ax,) = new_figure(WIDTH, 4)
    names = [row["cut"] for row in rows]
    ax.plot(names, [100 * row["svm"] for row in rows], "o-", label="linear SVM")
    ax.plot(names, [100 * row["linear"] for row in rows], "s-", label="linear layer")
    ax.set(ylabel="test accuracy, %")
    ax.tick_params(axis="x", rotation=45)
    head(ax, title)
    size = ax.twinx()
    size.bar(names, [row["features"] for row in rows], alpha=0.2, color="tab:grey")
    size.set_ylabel("features (bars)")
    save_figure(figure, path)


def study(
    found: list[np.ndarray], sets: list[list[Set]], cuts: list[str], options: Any
) -> Iterator[dict[str, Any]]:
    """Learn on the features of each cut, and yield a row of the table for each.

    Args:
        found: the features (pictures, features) of each cut.
        sets: of each split, the rows to learn and to test, each with their labels.
        cuts: names of layers.
        options: of the program.
    """
    for cut, features in zip(cuts, found, strict=True):
        results = []
        for (learn, y), (check, wanted) in sets:
            x_learn, x_check = standardised(features[learn], features[check])
            train, test = (x_learn, y), (x_check, wanted)
            accuracy, strength = support_vectors(train, test, options)
            results.append(
                (accuracy, linear_layer(train, test, int(y.max()) + 1, options), strength)
            )
        svm, linear, _ = np.mean(results, axis=0)
        strength = statistics.median_low([chosen for *_, chosen in results])
        row = {"cut": cut, "features": features.shape[1], "svm": svm, "linear": linear}
        print(
            f"{cut:<14} {row['features']:>7,} features   SVM {100 * svm:5.1f}% (C = {strength:g})"
            f"   linear layer {100 * linear:5.1f}%",
            flush=True,
        )
        yield {**row, "C": strength}


def write_table(rows: list[dict[str, Any]], path: Path) -> None:
    """Write rows as CSV."""
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def main() -> None:
    """Cut the network at several layers, learn on the features, and compare."""
    options = parse_arguments()
    pictures, labels, classes = load_pictures(options)
    chosen = {} if options.weights is None else {"weights": options.weights}
    model = models.load(options.model, **chosen, backend=options.backend)
    if options.size:
        resized = replace(model.preprocessing, size=(options.size, options.size), shorter_side=None)
        model = models.load(options.model, **chosen, backend=options.backend, preprocessing=resized)
    cuts = options.cuts or CUTS[options.model]
    with usage():  # refused before a folder is made
        cuts = [full_name(model.network, cut) for cut in cuts]
        for cut in cuts if options.fine_tune else ():
            layers_after(model, cut, len(classes))
        for strength in options.C:
            real("--C", strength, 0, above=True)
        splits = [
            split(labels, options.train, options.test, options.seed + number)
            for number in range(options.splits)
        ]
    used = np.unique(np.concatenate([rows for halves in splits for rows in halves]))
    pictures, labels = take(pictures, used), labels[used]
    sets = [
        [(at := np.searchsorted(used, rows), labels[at]) for rows in halves] for halves in splits
    ]
    found = inspection.features(
        model.network, pictures, cuts, prepare=model.preprocessing, pool=options.pool
    )
    run = runs.open_run(options, "transfer-learning")
    table = []
    for row in study(found, sets, cuts, options):
        table.append(row)
        write_table(table, run.folder / "cuts.csv")  # Ctrl-C keeps what has been learned
    best = max(table, key=lambda row: row["svm"])
    print(f"the best cut: {best['cut']}, {100 * best['svm']:.1f}% by the SVM")
    draw(table, run.folder / "cuts.png", f"{model.name} on {options.pictures}")
    if options.fine_tune:
        halves = [(take(pictures, rows), y) for rows, y in sets[-1]]
        accuracy = fine_tuned(model, best["cut"], halves, len(classes), options)
        print(f"layers after {best['cut']} fine-tuned: {100 * accuracy:.1f}%")
        row = {"cut": best["cut"], "epochs": options.fine_tune, "accuracy": accuracy}
        write_table([row], run.folder / "fine-tuned.csv")
    print("the run's files:", *run.files, sep="\n  ")


def take(pictures: Any, rows: np.ndarray) -> Any:
    """Return some of the pictures, an array or a list."""
    return pictures[rows] if isinstance(pictures, np.ndarray) else [pictures[row] for row in rows]


if __name__ == "__main__":
    run_program("transfer_learning", main)
