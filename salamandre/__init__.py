"""Salamandre: neural networks and adversarial games from scratch, on NumPy and CuPy."""

from salamandre import initializers, schedules
from salamandre.activations import (
    ELU,
    Activation,
    CenteredSigmoid,
    Identity,
    LeakyReLU,
    ReLU,
    Sigmoid,
    Softmax,
    SoftPlus,
    Tanh,
)
from salamandre.backend import Backend, get_backend, register_backend
from salamandre.gradient_check import gradient_check
from salamandre.layer import Layer
from salamandre.layers import BatchNorm, Dropout, Flatten, NeuronLayer, Reshape
from salamandre.losses import (
    BinaryCrossEntropy,
    CrossEntropy,
    Loss,
    MeanAbsoluteError,
    MeanSquaredError,
)
from salamandre.network import Diverged, Network
from salamandre.optimizers import (
    SGD,
    AdaGrad,
    Adadelta,
    Adam,
    AdamW,
    Momentum,
    Nesterov,
    Optimizer,
    RMSProp,
)

__version__ = "0.1.0"
