"""Convolutions of a DCGAN, and training steps of it and of CNNs, timed beside PyTorch.

Contestants take turns in one process as in ``speed.py``. A ratio is the peer's median time over
ours: above 1 we are faster. PyTorch runs eagerly, in its default layout and channels-last. The bare
products are the three matrix products of a convolution by columns, without the columns.

    python benchmarks/convolution.py --threads 1        # and --threads 2
    python benchmarks/convolution.py --plain            # without Numba
    python benchmarks/convolution.py --memory           # peak memory of the training step
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
from speed import Step, times

BATCH = 64
# transposed, channels in, channels out, size of the image: windows of 4 x 4, stride 2, padding 1
LAYERS = [
    (False, 1, 64, 32),
    (False, 64, 128, 16),
    (False, 128, 256, 8),
    (True, 256, 128, 4),
    (True, 128, 64, 8),
    (True, 64, 1, 16),
]


def our_layer(transposed: bool, inputs: int, outputs: int, size: int) -> Step:
    """Return a forward and backward pass of our layer, images channels-last in memory."""
    import salamandre as sal

    kind = sal.TransposedConvolutionalLayer if transposed else sal.ConvolutionalLayer
    network = sal.Network([kind(outputs, 4, 2, 1)], (inputs, size, size))
    run = network.new_pass()
    random = np.random.default_rng(0)
    x = random.standard_normal((BATCH, size, size, inputs), dtype=np.float32)
    channels, height, width = network.output_shape
    dy = random.standard_normal((BATCH, height, width, channels), dtype=np.float32)

    def step() -> None:
        network.compute(x.transpose(0, 3, 1, 2), run)
        network.backprop(dy.transpose(0, 3, 1, 2), run)

    return step


def torch_layer(transposed: bool, inputs: int, outputs: int, size: int, last: bool) -> Step:
    """Return a forward and backward pass of PyTorch's layer."""
    import torch

    kind = torch.nn.ConvTranspose2d if transposed else torch.nn.Conv2d
    layout = torch.channels_last if last else torch.contiguous_format
    layer = kind(inputs, outputs, 4, 2, 1).to(memory_format=layout)
    x = torch.randn(BATCH, inputs, size, size).contiguous(memory_format=layout).requires_grad_()
    dy = torch.randn_like(layer(x))

    def step() -> None:
        x.grad = None
        layer.zero_grad()
        layer(x).backward(dy)

    return step


def bare_products(transposed: bool, inputs: int, outputs: int, size: int) -> Step:
    """Return the three products of a convolution by columns."""
    image, other = (outputs, inputs) if transposed else (inputs, outputs)
    rows = BATCH * (size if transposed else size // 2) ** 2
    random = np.random.default_rng(0)
    shapes = ((rows, 16 * image), (other, 16 * image), (rows, other))
    columns, weights, y = (random.standard_normal(shape, dtype=np.float32) for shape in shapes)
    written = [np.empty_like(array) for array in (y, weights, columns)]

    def step() -> None:
        np.dot(columns, weights.T, out=written[0])
        np.dot(y.T, columns, out=written[1])
        np.dot(y, weights, out=written[2])

    return step


def our_game(images=None, seed: int = 0):
    """Return a DCGAN at 32×32; a round is a step of the discriminator and one of the generator."""
    import salamandre as sal

    start = {"initializer": sal.initializers.Gaussian(0.02)}

    def up(channels: int, *window: int) -> list[sal.Layer]:
        convolution = sal.TransposedConvolutionalLayer(channels, *window, bias=False, **start)
        return [convolution, sal.BatchNorm(), sal.ReLU()]

    def down(channels: int) -> list[sal.Layer]:
        convolution = sal.ConvolutionalLayer(channels, 4, 2, 1, bias=False, **start)
        return [convolution, sal.BatchNorm(), sal.LeakyReLU(0.2)]

    generator = sal.Network(
        [
            *(sal.Reshape((100, 1, 1)), *up(256, 4), *up(128, 4, 2, 1), *up(64, 4, 2, 1)),
            sal.TransposedConvolutionalLayer(1, 4, 2, 1, activation=sal.Tanh(), **start),
        ],
        100,
        optimizer=sal.Adam(2e-4, beta1=0.5),
        seed=seed,
    )
    discriminator = sal.Network(
        [
            sal.ConvolutionalLayer(64, 4, 2, 1, activation=sal.LeakyReLU(0.2), **start),
            *(*down(128), *down(256)),
            *(sal.ConvolutionalLayer(1, 4, **start), sal.Flatten()),
        ],
        (1, 32, 32),
        optimizer=sal.Adam(2e-4, beta1=0.5),
        seed=seed + 1,
    )
    if images is None:
        images = np.random.default_rng(0).uniform(-1, 1, (4 * BATCH, 1, 32, 32)).astype("f4")
    options = {"latent": sal.Gaussian(100), "batch_size": BATCH, "seed": seed}
    return sal.GanGame(generator, discriminator, images, **options)


def torch_game(last: bool, pixels=None, seed: int = 0):
    """Return a round of the same game in PyTorch, and its generator.

    The discriminator is frozen for it, as ours is, so that PyTorch does no more than is needed.
    """
    import torch
    from torch import nn

    def up(inputs: int, channels: int, *window: int) -> list[nn.Module]:
        convolution = nn.ConvTranspose2d(inputs, channels, *window, bias=False)
        return [convolution, nn.BatchNorm2d(channels), nn.ReLU()]

    def down(inputs: int, channels: int) -> list[nn.Module]:
        convolution = nn.Conv2d(inputs, channels, 4, 2, 1, bias=False)
        return [convolution, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)]

    torch.manual_seed(seed)
    layout = torch.channels_last if last else torch.contiguous_format
    generator = nn.Sequential(
        *(*up(100, 256, 4), *up(256, 128, 4, 2, 1), *up(128, 64, 4, 2, 1)),
        *(nn.ConvTranspose2d(64, 1, 4, 2, 1), nn.Tanh()),
    ).to(memory_format=layout)
    discriminator = nn.Sequential(
        *(nn.Conv2d(1, 64, 4, 2, 1), nn.LeakyReLU(0.2), *down(64, 128), *down(128, 256)),
        *(nn.Conv2d(256, 1, 4), nn.Flatten()),
    ).to(memory_format=layout)
    for module in (*generator, *discriminator):
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.normal_(module.weight, 0, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    optimizers = [
        torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999)) for net in (generator, discriminator)
    ]
    criterion = nn.BCEWithLogitsLoss()
    images = 2 * torch.rand(4 * BATCH, 1, 32, 32) - 1
    if pixels is not None:
        images = torch.from_numpy(pixels)
    ones, zeros = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)

    def step() -> tuple[float, float]:
        real = images[torch.randint(len(images), (BATCH,))]
        fake = generator(torch.randn(BATCH, 100, 1, 1))
        optimizers[1].zero_grad()
        d_loss = criterion(discriminator(real), ones)
        d_loss = d_loss + criterion(discriminator(fake.detach()), zeros)
        d_loss.backward()
        optimizers[1].step()
        discriminator.requires_grad_(False)
        optimizers[0].zero_grad()
        g_loss = criterion(discriminator(fake), ones)
        g_loss.backward()
        optimizers[0].step()
        discriminator.requires_grad_(True)
        return d_loss.item(), g_loss.item()

    return step, generator


def our_cnn() -> Step:
    """Return a training step of the network of ``mnist_classifier.py --model cnn``."""
    import salamandre as sal

    def convolution(channels: int, *window: int) -> list[sal.Layer]:
        layer = sal.ConvolutionalLayer(channels, *window, bias=False)
        return [layer, sal.BatchNorm(), sal.ReLU()]

    layers = [*convolution(32, 6, 2, 2), *convolution(64, 4, 2, 1)]
    layers += [sal.Dropout(0.2, channels=True), sal.Flatten(), sal.NeuronLayer(128, sal.ReLU())]
    layers += [sal.Dropout(0.3), sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, (1, 28, 28), sal.CrossEntropy(), sal.Adam())
    x, labels = digits()
    return lambda: network.learn(x, labels)


def torch_cnn(last: bool) -> Step:
    """Return the same step in PyTorch."""
    from torch import nn

    def convolution(inputs: int, channels: int, *window: int) -> list[nn.Module]:
        layer = nn.Conv2d(inputs, channels, *window, bias=False)
        return [layer, nn.BatchNorm2d(channels), nn.ReLU()]

    model = nn.Sequential(
        *(*convolution(1, 32, 6, 2, 2), *convolution(32, 64, 4, 2, 1)),
        *(nn.Dropout2d(0.2), nn.Flatten()),
        *(nn.Linear(64 * 49, 128), nn.ReLU(), nn.Dropout(0.3), nn.Linear(128, 10)),
    )
    return torch_step(model, last)


def our_windows() -> Step:
    """Return a training step of a CNN of 3 x 3 windows: 32-32-pool-64-pool-128."""
    import salamandre as sal

    def convolution(channels: int) -> sal.Layer:
        return sal.ConvolutionalLayer(channels, 3, padding=1, activation=sal.ReLU())

    layers = [convolution(32), convolution(32), sal.MaxPool(2), convolution(64), sal.MaxPool(2)]
    layers += [convolution(128), sal.Flatten(), sal.NeuronLayer(10, sal.Softmax())]
    network = sal.Network(layers, (1, 28, 28), sal.CrossEntropy(), sal.Adam())
    x, labels = digits()
    return lambda: network.learn(x, labels)


def torch_windows(last: bool) -> Step:
    """Return the same step in PyTorch."""
    from torch import nn

    def convolution(inputs: int, channels: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, channels, 3, padding=1), nn.ReLU()]

    model = nn.Sequential(
        *(*convolution(1, 32), *convolution(32, 32), nn.MaxPool2d(2)),
        *(*convolution(32, 64), nn.MaxPool2d(2), *convolution(64, 128)),
        *(nn.Flatten(), nn.Linear(128 * 49, 10)),
    )
    return torch_step(model, last)


def torch_step(model, last: bool) -> Step:
    """Return a training step of a classifier of digits in PyTorch."""
    import torch

    layout = torch.channels_last if last else torch.contiguous_format
    model = model.to(memory_format=layout)
    optimizer, criterion = torch.optim.Adam(model.parameters()), torch.nn.CrossEntropyLoss()
    x, labels = (torch.from_numpy(array) for array in digits())
    x = x.to(memory_format=layout)

    def step() -> float:
        optimizer.zero_grad()
        loss = criterion(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def digits() -> tuple[np.ndarray, np.ndarray]:
    """Return a batch of random images and labels of MNIST's sizes."""
    random = np.random.default_rng(0)
    return random.random((BATCH, 1, 28, 28), dtype=np.float32), random.integers(0, 10, BATCH)


GAMES = {
    "salamandre": lambda: our_game().play_and_learn,
    "PyTorch": lambda: torch_game(False)[0],
    "PyTorch, channels-last": lambda: torch_game(True)[0],
}
CLASSIFIERS = {
    "salamandre": our_cnn,
    "PyTorch": lambda: torch_cnn(False),
    "PyTorch, channels-last": lambda: torch_cnn(True),
}

WINDOWS = {
    "salamandre": our_windows,
    "PyTorch": lambda: torch_windows(False),
    "PyTorch, channels-last": lambda: torch_windows(True),
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
    step = GAMES[name]()
    for _ in range(5):
        step()
    return (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024


def memory() -> list[str]:
    """Return the table of peaks, each measured in a process of its own."""
    rows = ["| step | contestant | MiB above the imports |", "|---|---|---|"]
    for name in GAMES:
        command = [sys.executable, __file__, "--growth", name, *sys.argv[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        rows.append(f"| DCGAN | {name} | {float(done.stdout):.0f} |")
    return rows


def row(what: str, contestants: dict[str, Step], block: int, blocks: int) -> str:
    """Time the contestants; return a row of the table."""
    median = times(contestants, block, blocks)
    own = median.pop("salamandre")
    ratios = " | ".join(f"**{seconds / own:.2f}**" for seconds in median.values())
    return f"| {what} | {own * 1e3:.2f} | {ratios} |" + (" |" if len(median) < 3 else "")


def main() -> None:
    """Run the comparisons and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--threads", type=int, default=2, help="of BLAS and PyTorch (default 2)")
    parser.add_argument("--plain", action="store_true", help="without Numba")
    parser.add_argument("--blocks", type=int, default=10, help="turns of each (default 10)")
    parser.add_argument("--cnn", action="store_true", help="only the steps of CNNs")
    parser.add_argument("--memory", action="store_true", help="peak memory instead of time")
    parser.add_argument("--growth", choices=GAMES, help=argparse.SUPPRESS)
    parser.add_argument("--output", type=Path, help="write the table to this file")
    options = parser.parse_args()
    if options.plain:
        os.environ["SALAMANDRE_NUMBA"] = "0"

    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(options.threads)
    threadpool_limits(options.threads)
    if options.growth:
        print(growth(options.growth))
        return
    if options.memory:
        rows = memory()
        print("\n".join(rows))
    else:
        rows = [
            f"NumPy {np.__version__}, PyTorch {torch.__version__}, {options.threads} thread(s), "
            f"{'plain NumPy' if options.plain else 'Numba'}, float32, batch {BATCH}, medians.",
            "",
            "| forward and backward | ours, ms | PyTorch | its channels-last | bare products |",
            "|---|---|---|---|---|",
        ]
        print("\n".join(rows))
        for layer in () if options.cnn else LAYERS:
            transposed, inputs, outputs, size = layer
            what = "transposed" if transposed else "convolution"
            contestants = {
                "salamandre": our_layer(*layer),
                "PyTorch": torch_layer(*layer, False),
                "PyTorch, channels-last": torch_layer(*layer, True),
                "bare products": bare_products(*layer),
            }
            text = f"{what} {inputs} → {outputs} at {size} x {size}"
            rows.append(row(text, contestants, 5, options.blocks))
            print(rows[-1], flush=True)
        wholes = {
            "round of the DCGAN": GAMES,
            "step of the MNIST CNN": CLASSIFIERS,
            "step of a CNN of 3 x 3 windows": WINDOWS,
        }
        for what, made in list(wholes.items())[options.cnn :]:
            steps = {name: make() for name, make in made.items()}
            rows.append(row(what, steps, 3, options.blocks))
            print(rows[-1], flush=True)
    if options.output:
        options.output.write_text("\n".join(rows) + "\n")
        print(f"written to {options.output}")


if __name__ == "__main__":
    main()
