"""SqueezeNet 1.1 forward, and forward and gradient by the image, timed beside PyTorch.

Contestants take turns in one process as in ``speed.py``. A ratio is the peer's median time over
ours: above 1 we are faster. PyTorch runs eagerly, channels-last, with the same random weights.
``--memory FILE`` loads VGG16's weights from a file and classifies a picture instead.

    python benchmarks/inspection.py --threads 1        # and --threads 2
    python benchmarks/inspection.py --memory vgg16.pth
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from pathlib import Path

import numpy as np
from speed import Step, times

SIZE = 227
TESTS = Path(__file__).parents[1] / "tests"


def ours(x: np.ndarray, weights: dict[str, np.ndarray]) -> tuple[Step, Step]:
    """Return a forward step, and one forward and back to the image."""
    from salamandre import models
    from salamandre.models.weights import CAFFE, Weights

    model = models.squeezenet1_1(None, preprocessing=CAFFE)
    Weights("PyTorch", weights).give(model.network)
    network, run = model.network, model.network.new_pass(parameter_gradients=False)
    run.want(parameter_gradients=False, logits=True)
    dy = np.ones((len(x), 1000), np.float32)

    def forward() -> None:
        network.compute(x, run, training=False)

    def both() -> None:
        forward()
        network.backprop(dy, run)

    return forward, both


def theirs(x: np.ndarray, threads: int) -> tuple[Step, Step, dict[str, np.ndarray]]:
    """Return PyTorch's steps and weights."""
    sys.path.insert(0, str(TESTS))
    import torch
    from pytorch_models import SqueezeNet

    torch.set_num_threads(threads)
    module = SqueezeNet(ceil_mode=False).eval().requires_grad_(False)
    module = module.to(memory_format=torch.channels_last)
    image = torch.tensor(x).to(memory_format=torch.channels_last)
    dy = torch.ones(len(x), 1000)

    def forward() -> None:
        module(image)

    def both() -> None:
        leaf = image.detach().requires_grad_(True)
        module(leaf).backward(dy)

    return forward, both, {name: v.numpy() for name, v in module.state_dict().items()}


def memory(path: str) -> None:
    """Print the peak memory of this process after VGG16 was loaded, and has classified."""
    from salamandre import models

    start = time.perf_counter()
    model = models.vgg16(path)
    model.classify(np.random.default_rng(0).integers(0, 256, (3, 300, 400), np.uint8))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"VGG16 loads and classifies in {time.perf_counter() - start:.1f} s and {peak:.2f} GB")


def main() -> None:
    """Print the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="default 1")
    parser.add_argument("--rounds", type=int, default=20, metavar="N", help="default 20")
    parser.add_argument("--memory", metavar="FILE", help="VGG16's weights")
    options = parser.parse_args()
    if options.memory:
        memory(options.memory)
        return
    from threadpoolctl import threadpool_limits

    threadpool_limits(options.threads)
    print(f"SqueezeNet 1.1, {SIZE}×{SIZE}, {options.threads} threads; ms, and PyTorch's over ours")
    for batch in (1, 16):
        x = np.random.default_rng(0).normal(size=(batch, 3, SIZE, SIZE)).astype(np.float32)
        forward, both, weights = theirs(x, options.threads)
        our_forward, our_both = ours(x, weights)
        for what, own, peer in (
            ("forward", our_forward, forward),
            ("forward and gradient by the image", our_both, both),
        ):
            found = times({"ours": own, "peer": peer}, 4 if batch == 1 else 1, options.rounds)
            ratio = found["peer"] / found["ours"]
            print(
                f"batch {batch:>2}  {what:<34} {1000 * found['ours']:7.1f} "
                f"{1000 * found['peer']:7.1f}  {ratio:.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
