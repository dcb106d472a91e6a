"""How confident SqueezeNet 1.1 is of twenty classes that it imagines, and how long each takes.

    python benchmarks/imagined.py
    python benchmarks/imagined.py --first 0 --count 4     # a part of them

Each class is imagined from noise of its own seed, alone, with the defaults. The seconds are those
of the wall clock and of the processor, which on a busy machine differ.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from salamandre import inspection, models

CLASSES = (
    *("goldfish", "cock", "bald eagle", "tarantula", "peacock", "flamingo", "king penguin"),
    *("dalmatian", "tabby", "ladybug", "monarch", "zebra", "castle", "jack-o'-lantern"),
    *("pirate", "volcano", "strawberry", "pineapple", "daisy", "agaric"),
)


def main() -> None:
    """Imagine the classes, and print a line for each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weights", help="default: SALAMANDRE_WEIGHTS, the cache, the internet")
    parser.add_argument("--first", type=int, default=0, help="the first class, default 0")
    parser.add_argument("--count", type=int, default=len(CLASSES), help="of classes, default all")
    parser.add_argument("--to", type=Path, metavar="FILE", help="draw them here")
    options = parser.parse_args()
    model = models.squeezenet1_1(*([options.weights] if options.weights else []))
    network, bounds = model.network, model.preprocessing.bounds
    images, captions = [], []
    for seed in range(len(CLASSES))[options.first :][: options.count]:
        label = model.label(CLASSES[seed])
        wall, processor = time.perf_counter(), time.process_time()
        x = inspection.visualise_class(network, label, bounds=bounds, seed=seed)
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        confidence = network.predict(x)[0, label]
        print(
            f"{CLASSES[seed]:<16} {100 * confidence:9.5f}%   "
            f"{wall:6.1f} s, {processor:5.1f} s of the processor",
            flush=True,
        )
        images.append(model.preprocessing.pixels(x)[0])
        captions.append(CLASSES[seed])
    if options.to:
        inspection.draw_images(images, options.to, captions=captions)


if __name__ == "__main__":
    main()
