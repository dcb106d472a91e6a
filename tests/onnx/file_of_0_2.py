"""The network of the ONNX file that version 0.2 wrote, and the program that wrote it.

python tests/onnx/file_of_0_2.py: the file, and what onnxruntime computes of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from onnx_files import alive, run

import salamandre as sal

FILE = Path(__file__).parents[1] / "fixtures" / "onnx-0.2.onnx"


def network() -> sal.Network:
    """Return a small generator with layers of most kinds."""
    branch = [sal.ConvolutionalLayer(3, 3, padding="same", activation=sal.ELU(0.5))]
    layers = [
        *(sal.Embedding(3, 2), sal.NeuronLayer(16, sal.Tanh(1.7159, 2 / 3)), sal.LayerNorm()),
        *(sal.Reshape((4, 2, 2)), sal.ConditionalBatchNorm(3), sal.LeakyReLU(0.2)),
        *(sal.TransposedConvolutionalLayer(3, 4, 2, 1), sal.BatchNorm(), sal.Skip(branch)),
        *(sal.InstanceNorm(), sal.Upsample(2), sal.MaxPool(2), sal.LabelMap(3)),
        sal.Parallel([sal.AveragePool(2), sal.MaxPool(2)]),
        *(sal.ConvolutionalLayer(2, 1, activation=sal.SoftPlus()), sal.Flatten()),
        *(sal.NeuronLayer(6, sal.Sigmoid(), bias=False), sal.Projection(3)),
    ]
    made = alive(sal.Network(layers, 5))
    made.class_names, made.pixels = ["a", "b", "c"], sal.inputs.Pixels(255, -1.0, 1.0)
    return made


if __name__ == "__main__":
    sal.export_onnx(network(), FILE)
    x = np.random.default_rng(0).normal(size=(6, 5)).astype(np.float32)
    labels = np.arange(6) % 3
    np.savez(FILE.with_suffix(".npz"), x=x, labels=labels, y=run(FILE, x, labels))
