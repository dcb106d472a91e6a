"""Known networks with their published weights, ready to be asked about pictures."""

from typing import TYPE_CHECKING

from salamandre.models.known import (
    KNOWN as KNOWN,
    alexnet as alexnet,
    imagenet_classes as imagenet_classes,
    lenet5 as lenet5,
    load as load,
    resnet18 as resnet18,
    squeezenet1_1 as squeezenet1_1,
    vgg11 as vgg11,
    vgg16 as vgg16,
)
from salamandre.models.model import Model as Model, of_network as of_network
from salamandre.models.preprocessing import Preprocessing as Preprocessing
from salamandre.models.recipes import (
    averaged_predictions as averaged_predictions,
    quick_classifier as quick_classifier,
    whiten as whiten,
)
from salamandre.models.state_dicts import read_weights as read_weights
from salamandre.parts import missing as _missing

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise _missing(__name__, name, globals())
