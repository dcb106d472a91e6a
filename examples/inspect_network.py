"""Looking inside a classifier: what it looks at, what fools it, what it imagines.

    python examples/inspect_network.py photo.jpg                # SqueezeNet 1.1, on a photograph
    python examples/inspect_network.py photo.jpg --target goldfish --model vgg16 --weights vgg16.pth
    python examples/inspect_network.py --run runs/mnist-classifier/20260101-120000

Without pictures, a known model is shown the photographs that scikit-learn ships, and a classifier
of one's own the test set of its run: it is also told how often small changes of them fool it. A run
writes one folder of pictures.
"""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

from PIL import Image

from salamandre import Network, data, inspection, models, runs
from salamandre.checks import real
from salamandre.inspection.probes import full_name
from salamandre.program import Help, WrongUsage, run_program, usage

SHOWN = 6  # images of a test set


def parse_arguments() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=Help)
    parser.add_argument("pictures", nargs="*", metavar="PICTURE", help="files to look at")
    add = parser.add_argument_group("network").add_argument
    add("--model", choices=list(models.KNOWN), help="a known model, default squeezenet1_1")
    add("--weights", metavar="FILE", help="default: SALAMANDRE_WEIGHTS, the cache, the internet")
    add("--run", metavar="FOLDER", help="a classifier of one's own, by the folder of its run")
    add("--backend", metavar="NAME", help="numpy or cupy, default $SALAMANDRE_BACKEND or numpy")

    add = parser.add_argument_group("looking").add_argument
    add("--target", metavar="CLASS", help="of adversarial examples and dreams, default class 1")
    add("--layer", metavar="NAME", help="of Grad-CAM, default the last convolution")
    text = "with --run: changes of its test images, default 0.1 0.2 0.3"
    add("--epsilon", nargs="+", type=float, default=[0.1, 0.2, 0.3], help=text)
    count = runs.AtLeast(1)
    add("--images", type=count, default=200, metavar="N", help="of them, default 200")
    return runs.parse_options(parser, may_change=None)


def load_model(options: argparse.Namespace) -> tuple[models.Model, data.Images | None]:
    """Return the model and, of a run, its test set."""
    if options.run and (options.model or options.weights):
        raise WrongUsage("--run has a network of its own: leave out --model and --weights")
    if options.run is None:
        options.model = options.model or "squeezenet1_1"
        chosen = {} if options.weights is None else {"weights": options.weights}
        return models.load(options.model, **chosen, backend=options.backend), None
    run = runs.find_run(options.run, options.output)
    network, test = Network.load(run.classifier(), backend=options.backend), runs.test_images(run)
    return models.of_network(network, test.classes, run.images.name), test


def attack_test_set(model: models.Model, test: data.Images, options: argparse.Namespace) -> None:
    """Print the accuracy under attack, and the size of the changes."""
    test = test.spread(options.images)
    x, labels = model.network.as_inputs(test), test.labels
    attacks = {
        f"{name}, ε = {epsilon:g}": functools.partial(attack, epsilon=epsilon)
        for epsilon in options.epsilon
        for name, attack in (("FGSM", inspection.fgsm), ("PGD-40", inspection.pgd))
    }
    attacks["DeepFool"] = lambda network, images, _: inspection.deepfool(network, images)
    for name, attack in attacks.items():
        found = inspection.robustness(model.network, x, labels, attack)
        print(
            f"{name:<17} accuracy {100 * found['accuracy']:5.1f}% → "
            f"{100 * found['accuracy_attacked']:5.1f}%   "
            f"mean change of the fooled: L2 {found['l2']:.3f}, L∞ {found['linf']:.3f}"
        )


def main() -> None:
    """Write one folder of pictures."""
    options = parse_arguments()
    model, test = load_model(options)
    if options.pictures:
        inputs = model.prepare(options.pictures)
    elif test is not None:
        network = model.network
        inputs = network.backend.to_numpy(network.as_inputs(test.spread(SHOWN)))
    else:
        try:
            from sklearn.datasets import load_sample_images
        except ImportError:
            raise WrongUsage(
                "name a picture, or install scikit-learn, which ships two: "
                "pip install 'salamandre[inspection]'"
            ) from None
        inputs = model.prepare([Image.fromarray(photo) for photo in load_sample_images().images])
    target = options.target or 1
    with usage():  # refused before a folder is made
        model.label(target)
        if options.layer:
            full_name(model.network, options.layer)
        for epsilon in options.epsilon:
            real("--epsilon", epsilon, 0, above=True)
    run = runs.open_run(options, f"inspect-{Path(model.name).name}")
    report = inspection.Report(model, inputs, run.folder)
    report.saliency(options.layer)
    report.adversarial(target)
    report.dream(target)
    report.layers()
    print(*report.lines, sep="\n")
    if test is not None:
        attack_test_set(model, test, options)
    print("the run's files:", *run.files, sep="\n  ")


if __name__ == "__main__":
    run_program("inspect_network", main)
