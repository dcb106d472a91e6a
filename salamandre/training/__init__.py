"""Training: the loop of engines and games, its callbacks, and supervised learning."""

from salamandre.training.callbacks import (
    Checkpoint,
    Curves,
    EarlyStopping,
    EpochLines,
    ProgressBar,
)
from salamandre.training.engine import Engine
from salamandre.training.fitting import fit
from salamandre.training.history import History
from salamandre.training.loop import Callback, Loop
from salamandre.training.rates import lr_find
from salamandre.training.testing import evaluate
from salamandre.training.triggers import Epochs, Seconds, Steps
