"""Four small runs that version 0.1 has saved, to be resumed by every later version.

Run with version 0.1 on the path, this writes their checkpoints, and the weights they end with, to
``tests/fixtures/checkpoints-0.1``.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

import salamandre as sal
from salamandre.data import Images, Shift

FIXTURES = Path(__file__).parents[1] / "fixtures" / "checkpoints-0.1"
SAVED, END = 8, 14  # steps or rounds
RANDOM = np.random.default_rng(11)
PIXELS = RANDOM.integers(0, 256, (42, 1, 6, 6), dtype=np.uint8)
LABELS = (PIXELS[:, 0, :3].mean(axis=(1, 2)) > 127).astype(np.uint8)
IMAGES = Images(PIXELS, LABELS, ("0", "1"), "made", "train")


def engine() -> sal.Engine:
    """Convolution, batch-norm, dropout, a schedule and a transform."""
    layers = [
        sal.ConvolutionalLayer(3, 3, bias=False),
        *(sal.BatchNorm(), sal.ReLU(), sal.Flatten(), sal.Dropout(0.1)),
        *(sal.NeuronLayer(5, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())),
    ]
    adam = sal.Adam(sal.schedules.CosineDecay(0.01, 20))
    network = sal.Network(layers, (1, 6, 6), sal.CrossEntropy(), adam, seed=3)
    return sal.Engine(network, IMAGES, IMAGES, batch_size=8, seed=2, transform=Shift(1))


def remedy(**options) -> dict:
    """Return options of version 0.1 as this version takes them."""
    if not hasattr(sal, "Remedy"):
        return options
    now = {
        "label_smoothing": lambda ends: sal.LabelSmoothing(*ends),
        "label_flipping": sal.LabelFlipping,
        "instance_noise": sal.InstanceNoise,
        "feature_matching": sal.FeatureMatching,
        "average": sal.MovingAverage,
    }
    return {"remedies": [now[name](value) for name, value in options.items()]}


def gan() -> sal.GanGame:
    """Spectral normalisation, batch-norm on both sides, a moving average, two rates."""
    makes = [
        *(sal.NeuronLayer(16), sal.Reshape((4, 2, 2)), sal.BatchNorm(), sal.LeakyReLU(0.2)),
        *(sal.TransposedConvolutionalLayer(1, 3, 2), sal.Flatten(), sal.NeuronLayer(36)),
        *(sal.Tanh(), sal.Reshape((1, 6, 6))),
    ]
    tells = [
        *(sal.ConvolutionalLayer(3, 3, 2), sal.BatchNorm(), sal.LeakyReLU(0.2)),
        *(sal.Flatten(), sal.Dropout(0.1), sal.NeuronLayer(1)),
    ]
    generator = sal.Network(makes, 4, optimizer=sal.Adam(0.002, beta1=0.5), seed=1)
    discriminator = sal.Network(tells, (1, 6, 6), optimizer=sal.RMSProp(0.001), seed=2)
    options = {"lipschitz": sal.SpectralNorm(), "objective": sal.Hinge(), **remedy(average=0.9)}
    latent = sal.Gaussian(4)
    return sal.GanGame(generator, discriminator, IMAGES, latent=latent, batch_size=8, **options)


def wgan() -> sal.WGanGame:
    """Conditional, with a gradient penalty."""
    makes = [sal.Embedding(2), sal.NeuronLayer(8, sal.ReLU()), sal.NeuronLayer(36, sal.Sigmoid())]
    tells = [sal.Embedding(2), sal.NeuronLayer(8, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)]
    generator = sal.Network(makes, 4, optimizer=sal.Adam(0.002, beta1=0.5), seed=1)
    critic = sal.Network(tells, 36, optimizer=sal.Adam(0.002, beta1=0.5), seed=2)
    penalty = sal.GradientPenalty(5)
    options = {"latent": sal.Uniform(4), "critic_steps": 2, "initial_steps": 3, "seed": 6}
    return sal.WGanGame(
        generator, critic, IMAGES, labels=True, batch_size=8, lipschitz=penalty, **options
    )


def remedies() -> sal.GanGame:
    """Everything that was an option against mode collapse."""
    makes = [sal.NeuronLayer(8, sal.ReLU(), noise=2), sal.NeuronLayer(36, sal.Sigmoid())]
    tells = [sal.NeuronLayer(8, sal.LeakyReLU(0.2)), sal.NeuronLayer(1)]
    generator = sal.Network(makes, 4, optimizer=sal.Adam(0.002, beta1=0.5), seed=1)
    discriminator = sal.Network(tells, 36, optimizer=sal.SGD(0.01), seed=2)
    options = remedy(
        label_smoothing=(0.7, 1.0), label_flipping=0.1, instance_noise=0.2, feature_matching=0.5
    )
    return sal.GanGame(
        generator,
        discriminator,
        IMAGES,
        latent=sal.Gaussian(4),
        batch_size=8,
        generator_steps=2,
        **options,
    )


def weights(run) -> dict[str, np.ndarray]:
    """Return all parameters and state by name."""
    if isinstance(run, sal.Engine):
        return run.network.tensors()
    return {
        f"{name}.{key}": array
        for name in ("generator", "discriminator")
        for key, array in getattr(run, name).tensors().items()
    }


def main() -> None:
    """Write the files."""
    from safetensors.numpy import save_file

    class Save(sal.Callback):
        def on_step(self, engine):
            if engine.step == SAVED:
                engine.save(FIXTURES / "engine.safetensors")
            if engine.step == END:
                engine.stop()

    run = engine()
    run.callbacks = (Save(),)
    run.run(3)
    save_file(weights(run), FIXTURES / "engine-end.safetensors")
    for name, make in (("gan", gan), ("wgan", wgan), ("remedies", remedies)):
        game = make()
        metrics = {"number": lambda game: game.rounds / 2, "far": lambda game: np.inf}
        game.play(SAVED, [sal.games.Evaluation(metrics, every=4)])
        game.save(FIXTURES / f"{name}.safetensors")
        game.play(END)
        save_file(weights(game), FIXTURES / f"{name}-end.safetensors")


if __name__ == "__main__":
    FIXTURES.mkdir(parents=True, exist_ok=True)
    main()
