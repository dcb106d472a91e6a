"""Weights to and from PyTorch: the same shapes, other names. PyTorch is not imported here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from salamandre.checks import array
from salamandre.layer import Declared
from salamandre.network import Network

# What PyTorch calls the arrays of our layers.
NAMES = {
    "weights": "weight",
    "bias": "bias",
    "gamma": "weight",
    "beta": "bias",
    "running_mean": "running_mean",
    "running_variance": "running_var",
}
_IGNORED = "num_batches_tracked"


def from_pytorch(network: Network, state_dict: Mapping[str, Any]) -> None:
    """Give a network the weights of a PyTorch module of the same structure.

    Arrays are matched by name where all have PyTorch's names (``"body.0.weights"`` is
    ``"body.0.weight"`` there), otherwise in order. Their kinds (``weight``, ``bias``,
    ``running_mean``, ...) and shapes must agree; all is checked before the network is changed.

    Args:
        network: takes the weights.
        state_dict: ``module.state_dict()``, or arrays by the same names.

    Raises:
        ValueError: names or shapes that do not agree; the first such pair is named.
        TypeError: ``state_dict`` is no mapping of names to arrays.
    """
    tensors = {}
    for ours, theirs in _pairs(network, state_dict).items():
        tensors[ours] = np.asarray(array(f"the values of {theirs!r}", state_dict[theirs]))
    network.load_tensors(tensors)


def to_pytorch(network: Network, state_dict: Mapping[str, Any]) -> dict[str, Any]:
    """Return a network's weights for ``module.load_state_dict``.

    Args:
        network: gives the weights.
        state_dict: ``module.state_dict()`` of a module of the same structure, or arrays by the
            same names: its names, types and devices are used, its values are not changed.

    Raises:
        ValueError: names or shapes that do not agree; the first such pair is named.
        TypeError: ``state_dict`` is no mapping of names to arrays.
    """
    pairs = _pairs(network, state_dict)
    result, tensors = dict(state_dict), network.tensors()
    for ours, theirs in pairs.items():
        like = state_dict[theirs]
        if hasattr(like, "new_tensor"):
            result[theirs] = like.new_tensor(tensors[ours])
        else:
            result[theirs] = tensors[ours].astype(np.result_type(np.asarray(like), np.float16))
    return result


def _pairs(network: Network, state_dict: Mapping[str, Any]) -> dict[str, str]:
    """Return PyTorch's name for each of the network's arrays."""
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict must be arrays by their names, such as module.state_dict() or what "
            f"torch.load(path) returns, got a {type(state_dict).__name__}"
        )
    if others := [name for name in state_dict if not isinstance(name, str)]:
        raise TypeError(f"the names of state_dict must be texts, got {others[0]!r}")
    network._require_vectors()
    ours: dict[str, tuple[str, Declared]] = {}  # our name: PyTorch's, if its layers have our names
    for prefix, layer in network.walk():
        for declared in (*layer.declared, *layer.declared_state):
            kind = NAMES.get(declared.name, declared.name)
            ours[prefix + declared.name] = prefix + kind, declared
    theirs = [name for name in state_dict if not name.endswith(_IGNORED)]
    wanted = [other for other, _ in ours.values()]
    if sorted(wanted) == sorted(theirs):
        theirs = wanted
    for (name, (other, declared)), found in zip(ours.items(), theirs, strict=False):
        kind, shape = other.rpartition(".")[2], tuple(np.shape(state_dict[found]))
        if found.rpartition(".")[2] != kind or shape != declared.shape:
            raise ValueError(
                f"the network's {name!r} of shape {declared.shape} does not fit PyTorch's "
                f"{found!r} of shape {shape}: the structures differ"
            )
    if len(ours) != len(theirs):
        more, who = [*ours][len(theirs) :], "the network's"
        if not more:
            more, who = theirs[len(ours) :], "PyTorch's"
        raise ValueError(
            f"the network has {len(ours)} arrays, the PyTorch module has {len(theirs)}, and {who} "
            f"{more[0]!r} has no partner: the structures differ"
        )
    return dict(zip(ours, theirs, strict=True))
