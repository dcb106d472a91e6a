"""A small classifier with everything that probes meet, and the same one in PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional


class Twin(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 6, 3, padding=1)
        self.squeeze = nn.Conv2d(6, 3, 1)
        self.left, self.right = nn.Conv2d(3, 4, 1), nn.Conv2d(3, 4, 3, padding=1)
        self.around, self.norm = nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.fc = nn.Linear(8, 5)
        self.seen = {}

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.conv1(x)), 2)
        x = F.relu(self.squeeze(x))
        left, right = F.relu(self.left(x)), F.relu(self.right(x))
        self.seen["left"] = left
        x = self.seen["fire"] = torch.cat([left, right], 1)
        x = self.seen["block"] = F.relu(x + self.norm(self.around(x)))
        return self.fc(x.mean((2, 3)))


def layers(last):
    relu = sal.ReLU
    return {
        "conv1": sal.ConvolutionalLayer(6, 3, padding=1, activation=relu()),
        "pool": sal.MaxPool(2),
        "fire": sal.Sequential(
            {
                "squeeze": sal.ConvolutionalLayer(3, 1, activation=relu()),
                "expand": sal.Parallel(
                    {
                        "left": sal.ConvolutionalLayer(4, 1, activation=relu()),
                        "right": sal.ConvolutionalLayer(4, 3, padding=1, activation=relu()),
                    }
                ),
            }
        ),
        "block": sal.Sequential(
            {
                "skip": sal.Skip(
                    {"around": sal.ConvolutionalLayer(8, 3, padding=1), "norm": sal.BatchNorm()},
                    join="add",
                ),
                "relu": relu(),
            }
        ),
        "mean": sal.GlobalAveragePool(),
        "fc": sal.NeuronLayer(5, last),
    }


CLASSES = np.array([0, 1, 2, 3, 4, 2])
