"""What recorded values are called in words, which belong together, and which way is better."""

from __future__ import annotations

from typing import NamedTuple

SMALLER, LARGER = "min", "max"


class Recorded(NamedTuple):
    """A value that runs record.

    Attributes:
        words: what it is called in pictures.
        panel: values of one panel can be laid beside each other.
        better: ``"min"`` or ``"max"``; "" where neither is better.
        role: whose it is, of those that have a colour of their own.
    """

    words: str
    panel: str = ""
    better: str = ""
    role: str = ""


#: The values by the names that they have in histories.
RECORDED = {
    "loss": Recorded("training", "loss", SMALLER),
    "test_loss": Recorded("test", "loss", SMALLER),
    "d_loss": Recorded("discriminator", "losses of the players", "", "discriminator"),
    "g_loss": Recorded("generator", "losses of the players", "", "generator"),
    "d_real": Recorded("real examples", "scores of the discriminator", "", "real"),
    "d_fake": Recorded("fakes", "scores of the discriminator", "", "fake"),
    "distance": Recorded("critic's estimate of the distance", "", "", "discriminator"),
    "penalty": Recorded("gradient penalty", "", "", "gradient"),
    "accuracy": Recorded("accuracy", "", LARGER),
    "error_rate": Recorded("error rate", "", SMALLER),
    "mse": Recorded("mean squared error", "", SMALLER),
    "mae": Recorded("mean absolute error", "", SMALLER),
    "frechet": Recorded("of all samples", "Fréchet distance", SMALLER),
    "intra": Recorded("within classes", "Fréchet distance", SMALLER),
    "kid": Recorded("kernel distance", "", SMALLER),
    "precision": Recorded("precision", "realistic and covered", LARGER),
    "recall": Recorded("recall", "realistic and covered", LARGER),
    "density": Recorded("density", "density and coverage", LARGER),
    "coverage": Recorded("coverage", "density and coverage", LARGER),
    "confident": Recorded("confident", "share of samples", LARGER),
    "right": Recorded("of the requested class", "share of samples", LARGER),
    "quality": Recorded("good", "share of samples", LARGER),
    "least": Recorded("rarest class", "shares of classes"),
    "most": Recorded("commonest class", "shares of classes"),
    "divergence": Recorded("unevenness of classes", "", SMALLER),
    "classes": Recorded("classes drawn", "", LARGER),
    "modes": Recorded("modes found", "", LARGER),
    "balance": Recorded("balance of modes", "", LARGER),
    "score": Recorded("classifier score", "", LARGER),
    "critic_gap": Recorded("critic's gap", "", SMALLER),
    "l1": Recorded("mean absolute difference", "", SMALLER),
    "psnr": Recorded("PSNR, dB", "", LARGER),
    "ssim": Recorded("structural similarity", "", LARGER),
}


def words(name: str) -> str:
    """Return what a value is called; a name of one's own without its underscores."""
    return RECORDED[name].words if name in RECORDED else name.replace("_", " ")


def panel(name: str) -> str:
    """Return the title of the panel that a value belongs to."""
    return (RECORDED[name].panel if name in RECORDED else "") or words(name)
