"""Known networks with their published weights, ready to be asked about pictures."""

from salamandre.models.known import (
    KNOWN,
    alexnet,
    imagenet_classes,
    lenet5,
    load,
    resnet18,
    squeezenet1_1,
    vgg11,
    vgg16,
)
from salamandre.models.model import Model, of_network
from salamandre.models.preprocessing import Preprocessing
from salamandre.models.recipes import averaged_predictions, quick_classifier, whiten
from salamandre.models.state_dicts import read_weights
