"""Training: the loop of engines and games, its callbacks, and supervised learning."""

from salamandre.training.callback import Callback as Callback
from salamandre.training.callbacks import (
    Checkpoint as Checkpoint,
    Curves as Curves,
    EarlyStopping as EarlyStopping,
    EpochLines as EpochLines,
    ProgressBar as ProgressBar,
)
from salamandre.training.engine import Engine as Engine
from salamandre.training.fitting import fit as fit
from salamandre.training.history import History as History
from salamandre.training.loop import Loop as Loop
from salamandre.training.rates import lr_find as lr_find
from salamandre.training.tensorboard import TensorBoard as TensorBoard, run_settings as run_settings
from salamandre.training.testing import evaluate as evaluate
from salamandre.training.triggers import Epochs as Epochs, Seconds as Seconds, Steps as Steps
