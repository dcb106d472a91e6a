"""Checkpoints of version 0.1 in the present format."""

from __future__ import annotations

from typing import Any

import numpy as np

from salamandre.storage import StoredFile


def in_present_format(stored: StoredFile) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return description and tensors; those of version 0.1 in the present format."""
    description, tensors = stored.architecture, stored.tensors
    if "metrics" in description:  # a game
        players = ("generator", "discriminator")
        description = {
            **description,
            "identity": _with_remedies(description["identity"]),
            "optimizers": dict(zip(players, description["optimizers"], strict=True)),
            "random": dict(zip(("game", *players), description["random"], strict=True)),
            "steps": [n.partition("/")[2] for n in tensors if n.startswith("history/")],
            "records": description["metrics"],
        }
        tensors = {name.replace("/state/", "/"): array for name, array in tensors.items()}
        tensors["records"] = tensors["metrics"]
    elif "tests" in description:  # an engine
        records, losses = description["tests"], tensors["losses"]
        description = {
            **description,
            "identity": {**description["identity"], "backend": description["backend"]},
            "optimizers": {"network": [description["optimizer_steps"], description["schedule"]]},
            "random": {"network": description["random"]},
            "drawn": len(losses),
            "steps": ["loss"],
            "records": [list(record) for record in records],
        }
        tensors = {
            f"network/{name}" if name.startswith("optimizer/") else name: array
            for name, array in tensors.items()
        }
        tensors["history/loss"] = losses
        tensors["records"] = np.array([value for record in records for value in record.values()])
    return description, tensors


# The options of games of version 0.1 that are arguments of remedies now.
_REMEDIES = {
    "label_smoothing": ("LabelSmoothing", ("low", "high")),
    "label_flipping": ("LabelFlipping", ("probability",)),
    "instance_noise": ("InstanceNoise", ("std",)),
    "feature_matching": ("FeatureMatching", ("weight",)),
    "average": ("MovingAverage", ("decay",)),
}


def _with_remedies(identity: dict[str, Any]) -> dict[str, Any]:
    """Return the identity of a game of version 0.1 with its options as remedies."""
    remedies = []
    for option, (name, arguments) in _REMEDIES.items():
        value = identity.get(option)
        if value:
            values = value if isinstance(value, list) else [value]
            named = dict(zip(arguments, values, strict=True))
            remedies.append({"class": f"remedies.{name}", **named})
    kept = {name: value for name, value in identity.items() if name not in _REMEDIES}
    return {**kept, "remedies": remedies}
