"""The products of convolutions in float32, beside PyTorch's, against float64."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from pytorch_twins import nn, torch

import salamandre as sal
from salamandre.backend.operations.products import BLOCK

# transposed, channels in and out, size of the window, stride, padding, image, batch
CONVOLUTIONS = [
    (False, 16, 16, 3, 1, 1, (28, 28), 4),
    (False, 64, 32, 3, 1, 1, (16, 16), 3),
    (False, 17, 33, 3, 1, 0, (13, 11), 2),
    (False, 32, 16, 3, 1, 2, (7, 9), 5),
    (False, 128, 128, 3, 1, 1, (7, 7), 2),
    (False, 24, 16, 3, 1, (0, 2), (4, 15), 1),
    (False, 16, 20, 3, 1, (1, 0), (31, 6), 1),
    (False, 32, 48, 4, 1, 1, (16, 16), 3),
    (False, 17, 16, 4, 1, (0, 3), (9, 12), 2),
    (False, 64, 128, 4, 1, 1, (14, 17), 2),
    (True, 40, 16, 4, 1, (2, 1), (11, 9), 2),
    (True, 16, 16, 4, 1, 0, (6, 12), 3),
    (False, 20, 3, (5, 4), 1, (1, 3), (9, 8), 3),  # few outputs
    (False, 16, 1, 3, 1, 1, (12, 12), 2),
    (True, 3, 16, 3, 1, 1, (9, 7), 2),
    (True, 32, 48, 3, 1, 1, (9, 10), 2),
    (True, 48, 16, 3, 1, 0, (8, 5), 3),
]


# What sums in float32 may lose whoever computes them, as a part of the largest result.
SINGLE = 4e-7


@pytest.mark.parametrize("block", [1, BLOCK])
@pytest.mark.parametrize("case", CONVOLUTIONS, ids=str)
@pytest.mark.usefixtures("tiles_of_any_batch")
def test_float32_is_nearly_as_exact_as_pytorchs(case, block, random, monkeypatch):
    """Of outputs and gradients, the largest error is at most three times PyTorch's."""
    monkeypatch.setattr("salamandre.backend.operations.products.BLOCK", block)
    transposed, inputs, outputs, kernel, stride, padding, image, batch = case
    kind = nn.ConvTranspose2d if transposed else nn.Conv2d
    module = kind(inputs, outputs, kernel, stride, padding)
    layer = sal.TransposedConvolutionalLayer if transposed else sal.ConvolutionalLayer
    network = sal.Network([layer(outputs, kernel, stride, padding)], (inputs, *image))
    sal.from_pytorch(network, module.state_dict())
    x = random.normal(size=(batch, inputs, *image)).astype("float32")
    dy = random.normal(size=(batch, *network.output_shape)).astype("float32")

    def results(dtype, layout=torch.contiguous_format):
        twin = copy.deepcopy(module).to(dtype=dtype, memory_format=layout)
        t = torch.tensor(x, dtype=dtype).contiguous(memory_format=layout).requires_grad_()
        y = twin(t)
        y.backward(torch.tensor(dy, dtype=dtype))
        return [a.detach().numpy() for a in (y, t.grad, twin.weight.grad, twin.bias.grad)]

    y, dx = network.compute(x), network.backprop(dy)
    ours = [y, dx, *network.named_gradients().values()]
    theirs = results(torch.float32), results(torch.float32, torch.channels_last)
    for found, *others, exact in zip(ours, *theirs, results(torch.float64), strict=True):
        errors = [float(np.abs(other - exact).max()) for other in others]
        allowed = max(*errors, SINGLE * np.abs(exact).max())
        assert np.abs(found - exact).max() <= 3 * allowed
