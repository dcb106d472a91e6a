"""A folder of pictures about a model: what it looks at, what fools it, what it imagines."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from salamandre.inspection.adversarial import pgd
from salamandre.inspection.attribution import (
    grad_cam,
    guided_backprop,
    has_relu,
    integrated_gradients,
    largest,
    saliency,
    smooth_grad,
)
from salamandre.inspection.drawing import draw_adversarial, draw_images, draw_maps, draw_sheet
from salamandre.inspection.layers import activations, filters, neuron_image
from salamandre.inspection.probes import full_name, layer_names, of_kind
from salamandre.inspection.visualisation import dream, visualise_class
from salamandre.layers.convolution import ConvolutionalLayer
from salamandre.layers.neuron import NeuronLayer
from salamandre.models.model import Model
from salamandre.texts import file_name

CHANNELS = 16  # of a layer, in a picture
LEVELS = (4, 16, 64)  # of 255, the changes of adversarial pictures: as many as are needed


class Report:
    """Pictures about a model and some images, in a folder.

    Args:
        model: what is looked into.
        inputs: (N, C, H, W), as ``model.prepare`` returns them; none for what needs no picture.
        folder: of the pictures; made if absent.

    Attributes:
        lines: what was found, a sentence for each picture.
    """

    def __init__(self, model: Model, inputs: np.ndarray, folder: str | os.PathLike[str]) -> None:
        self.model, self.network, self.inputs = model, model.network, inputs
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.lines: list[str] = []

    def saliency(self, layer: str | None = None) -> Path:
        """Draw what the network looks at; ``layer`` is Grad-CAM's, see :func:`grad_cam`.

        Raises:
            ValueError: no pictures, or no such layer.
        """
        x, network = self._needed(), self.network
        maps = {"saliency": saliency(network, x), "SmoothGrad": smooth_grad(network, x)}
        maps["integrated gradients"] = largest(integrated_gradients(network, x))
        if has_relu(network):
            maps["guided backprop"] = largest(guided_backprop(network, x))
        if layer or of_kind(network, ConvolutionalLayer):
            maps["Grad-CAM"] = grad_cam(network, x, layer=layer)
        size = self.model.preprocessing.size
        # Of colours in a row the largest is not taken yet.
        shown = {
            name: self._host(values).reshape(len(x), -1, *size).max(axis=1)
            for name, values in maps.items()
        }
        path = self.folder / "saliency.png"
        draw_maps(self._pictures(x), shown, path, captions=self._captions(x))
        return path

    def adversarial(self, name: str, steps: int = 20) -> Path:
        """Draw pictures that are changed by at most 4 of 255 levels to become a class.

        Those for which that is not enough are changed by at most 16 or 64 levels; those that are
        taken for the class already stay as they are.
        """
        x, label = self._needed(), self.model.label(name)
        shown, preprocessing = repr(self.model.classes[label]), self.model.preprocessing
        changed, missing = x.copy(), self._missing(x, label)
        if already := len(x) - len(missing):
            self.lines.append(f"{already} of {len(x)} pictures taken for {shown} already")
        for levels in LEVELS:
            if not len(missing):
                break
            found = pgd(
                self.network,
                x[missing],
                label,
                levels * preprocessing.level,
                targets=label,
                steps=steps,
                random_start=False,
                bounds=preprocessing.bounds,
            )
            changed[missing] = self._host(found)
            before, missing = len(missing), self._missing(changed, label)
            if len(missing) < before or levels == LEVELS[-1]:
                self.lines.append(
                    f"{before - len(missing)} of {len(x)} pictures became {shown} by a change of "
                    f"at most {levels}/255"
                )
        titles = list(zip(self._captions(x), self._captions(changed), strict=True))
        path = self.folder / f"adversarial-{file_name(self.model.classes[label])}.png"
        draw_adversarial(self._pictures(x), self._pictures(changed), path, captions=titles)
        return path

    def dream(self, *names: str) -> Path:
        """Draw what the network takes for classes, each from noise and from the pictures.

        Above each is the confidence in the class.
        """
        labels, bounds = [self.model.label(name) for name in names], self.model.preprocessing.bounds
        noise = self._host(visualise_class(self.network, labels, bounds=bounds))
        images = []
        for row, label in enumerate(labels):
            images.append(noise[row : row + 1])
            if len(self.inputs):
                found = visualise_class(self.network, label, start=self.inputs, bounds=bounds)
                images.append(self._host(found))
        x = np.concatenate(images)
        asked = np.repeat(labels, 1 + len(self.inputs))
        one = f"dream-{file_name(self.model.classes[labels[0]])}.png"
        path = self.folder / (one if len(labels) == 1 else "dreams.png")
        draw_images(self._pictures(x), path, captions=self._captions(x, asked))
        return path

    def deep_dream(self, layer: str) -> Path:
        """Draw the pictures with more of what a layer finds in them."""
        bounds = self.model.preprocessing.bounds
        x = self._host(dream(self.network, self._needed(), layer, bounds=bounds))
        path = self.folder / f"deep-dream-{file_name(layer)}.png"
        draw_images(self._pictures(x), path, captions=self._captions(x))
        return path

    def layers(self, layer: str | None = None) -> list[Path]:
        """Draw the first filters, channels of layers, and weights of the first neurons.

        Args:
            layer: whose channels are drawn, or the weights of its neurons. Default: a few of the
                convolutions, from the first to the last, and the first :class:`NeuronLayer`.
        """
        network, paths = self.network, []
        convolutions = of_kind(network, ConvolutionalLayer)
        neurons = of_kind(network, NeuronLayer)
        if convolutions:
            paths.append(self.folder / "filters.png")
            weights = self._host(filters(network))
            if self.model.preprocessing.order == "BGR":
                weights = weights[:, ::-1]
            draw_sheet(weights, paths[-1])
        name = full_name(network, layer) if layer else None
        for own in [name] if name in neurons else neurons[:1]:
            count = min(CHANNELS, layer_names(network)[own].outputs)  # type: ignore[attr-defined]
            images = [self._host(neuron_image(network, own, n)) for n in range(count)]
            if images[0].ndim == 3:
                paths.append(self.folder / f"weights-{file_name(own)}.png")
                draw_sheet(np.stack(images), paths[-1])
        few = np.unique(np.linspace(0, len(convolutions) - 1, min(4, len(convolutions)), dtype=int))
        shown = [name] if name else [convolutions[i] for i in few]
        for name in shown if len(self.inputs) else ():
            y = self._host(activations(network, self.inputs, name))[:, :CHANNELS]
            if y.ndim == 4:  # a row for each picture
                paths.append(self.folder / f"layer-{file_name(name)}.png")
                draw_sheet(y.reshape(-1, 1, *y.shape[2:]), paths[-1], columns=y.shape[1])
        return paths

    def _needed(self) -> np.ndarray:
        if not len(self.inputs):
            raise ValueError("at least one picture is needed, got none")
        return self.inputs

    def _missing(self, x: np.ndarray, label: int) -> np.ndarray:
        """Return the numbers of the inputs that the network does not take for a class."""
        best = self._host(self.network.predict(x, batch_size=16)).argmax(axis=1)
        return np.flatnonzero(best != label)

    def _host(self, array: object) -> np.ndarray:
        return array if isinstance(array, np.ndarray) else self.network.backend.to_numpy(array)

    def _pictures(self, x: object) -> np.ndarray:
        inputs = self._host(x).reshape(-1, *self.model.preprocessing.shape)
        return self.model.preprocessing.pixels(inputs)

    def _captions(self, x: object, labels: np.ndarray | None = None) -> list[str]:
        """Return the confidence in a class of each input, by default the most likely one."""
        y = self._host(self.network.predict(x, batch_size=16))
        chosen = y.argmax(axis=1) if labels is None else labels
        return [
            f"{self.model.classes[label]} {100 * row[label]:.0f}%"
            for label, row in zip(chosen, y, strict=True)
        ]
