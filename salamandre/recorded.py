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
        alone: what it is called where its panel is not named. Default: its words.
    """

    words: str
    panel: str = ""
    better: str = ""
    role: str = ""
    alone: str = ""


PLAYERS, SCORES = "losses of the players", "scores of the discriminator"
OF_SAMPLES, OF_CLASSES = "share of samples", "shares of classes"
ARROWS = {SMALLER: "  ↓\N{NO-BREAK SPACE}better", LARGER: "  ↑\N{NO-BREAK SPACE}better", "": ""}

#: The values by the names that they have in histories.
RECORDED = {
    "loss": Recorded("training", "loss", SMALLER, alone="training loss"),
    "test_loss": Recorded("test", "loss", SMALLER, alone="test loss"),
    "d_loss": Recorded("discriminator", PLAYERS, "", "discriminator", "loss of the discriminator"),
    "g_loss": Recorded("generator", PLAYERS, "", "generator", "loss of the generator"),
    "d_real": Recorded("real examples", SCORES, "", "real", "score of real examples"),
    "d_fake": Recorded("fakes", SCORES, "", "fake", "score of fakes"),
    "distance": Recorded("critic's estimate of the distance", "", "", "discriminator"),
    "penalty": Recorded("gradient penalty", "", "", "gradient"),
    "accuracy": Recorded("accuracy", "", LARGER),
    "error_rate": Recorded("error rate", "", SMALLER),
    "mse": Recorded("mean squared error", "", SMALLER),
    "mae": Recorded("mean absolute error", "", SMALLER),
    "squared": Recorded("squared error of an image", "", SMALLER),
    "frechet": Recorded("of all samples", "Fréchet distance", SMALLER, alone="Fréchet distance"),
    "intra": Recorded(
        "within classes", "Fréchet distance", SMALLER, alone="Fréchet distance within classes"
    ),
    "kid": Recorded("kernel distance", "", SMALLER),
    "precision": Recorded("precision", "realistic and covered", LARGER),
    "recall": Recorded("recall", "realistic and covered", LARGER),
    "density": Recorded("density", "density and coverage", LARGER),
    "coverage": Recorded("coverage", "density and coverage", LARGER),
    "confident": Recorded("confident", OF_SAMPLES, LARGER, alone="share of confident samples"),
    "right": Recorded(
        "of the requested class", OF_SAMPLES, LARGER, alone="share of the requested class"
    ),
    "quality": Recorded("good", OF_SAMPLES, LARGER, alone="share of good samples"),
    "least": Recorded("rarest class", OF_CLASSES, alone="share of the rarest class"),
    "most": Recorded("commonest class", OF_CLASSES, alone="share of the commonest class"),
    "divergence": Recorded("unevenness of classes", "", SMALLER),
    "classes": Recorded("classes drawn", "", LARGER),
    "modes": Recorded("modes found", "", LARGER),
    "balance": Recorded("balance of modes", "", LARGER),
    "score": Recorded("classifier score", "", LARGER),
    "critic_gap": Recorded("critic's gap", "", SMALLER),
    "l1": Recorded("mean absolute difference", "", SMALLER),
    "psnr": Recorded("PSNR, dB", "", LARGER),
    "duration": Recorded("duration of a run, seconds", "", SMALLER),
    "ssim": Recorded("structural similarity", "", LARGER),
}


def words(name: str) -> str:
    """Return what a value is called; a name of one's own without its underscores."""
    return RECORDED[name].words if name in RECORDED else name.replace("_", " ")


def panel(name: str) -> str:
    """Return the title of the panel that a value belongs to."""
    return (RECORDED[name].panel if name in RECORDED else "") or words(name)


def alone(name: str) -> str:
    """Return what a value is called where it stands alone."""
    return (RECORDED[name].alone if name in RECORDED else "") or words(name)


def arrow(*names: str) -> str:
    """Return which way is better, if it is one way for all the values."""
    ways = {RECORDED[name].better if name in RECORDED else "" for name in names}
    return ARROWS[ways.pop()] if len(ways) == 1 else ""
