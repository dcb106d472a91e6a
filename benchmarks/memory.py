"""Peak memory of rounds of a DCGAN, ours and PyTorch's; or of VGG16 that classifies a picture.

python benchmarks/memory.py --threads 1
python benchmarks/memory.py --vgg16 vgg16.pth       # a file of its weights
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

import numpy as np
from timing import PEERS, limit, ready

CONTESTANTS = {
    "ours": ("ours", {}),
    **{name: PEERS[name] for name in ("PyTorch", "PyTorch, channels-last")},
}


def growth(name: str) -> float:
    """Return by how many MiB the process's peak grows while it makes and plays a game."""
    import torch

    import salamandre as sal

    # A first convolution loads Numba here and oneDNN there: that memory is not the game's.
    layers = [sal.ConvolutionalLayer(16, 4, 2, 1), sal.BatchNorm(), sal.LeakyReLU()]
    sal.Network(layers, (16, 8, 8)).compute(np.ones((2, 16, 8, 8)))
    torch.nn.Conv2d(16, 16, 4)(torch.ones(2, 16, 8, 8)).sum().backward()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ready({name: CONTESTANTS[name]}, "dcgan_round", ())
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def vgg16(path: str) -> str:
    """Return what this process takes to load VGG16's weights and classify a picture."""
    from salamandre import models

    start = time.perf_counter()
    model = models.vgg16(path)
    model.classify(np.random.default_rng(0).integers(0, 256, (3, 300, 400), np.uint8))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9
    return f"VGG16 loads and classifies in {time.perf_counter() - start:.1f} s and {peak:.2f} GB"


def main() -> None:
    """Print the table, each row measured in a process of its own, or the line on VGG16."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, help="of everybody (default 1)")
    parser.add_argument("--vgg16", metavar="FILE", help="of VGG16's weights")
    parser.add_argument("--growth", choices=CONTESTANTS, help=argparse.SUPPRESS)
    parser.add_argument("--limited", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.growth:
        print(growth(options.growth))
        return
    if options.limited:
        print(vgg16(options.vgg16))
        return
    limit(options.threads)  # of the processes that follow: this one has loaded its libraries
    if options.vgg16:
        command = [sys.executable, __file__, "--vgg16", options.vgg16, "--limited"]
        subprocess.run(command, check=True)
        return
    print("| step | contestant | MiB above the imports |\n|---|---|---|")
    for name in CONTESTANTS:
        command = [sys.executable, __file__, "--growth", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        print(f"| round of a DCGAN | {name} | {float(done.stdout):.0f} |", flush=True)


if __name__ == "__main__":
    main()
