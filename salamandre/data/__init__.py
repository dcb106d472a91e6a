"""Labelled images: published data sets by name, and data of one's own in files and arrays."""

from salamandre.data.arrays import split
from salamandre.data.batches import prefetch
from salamandre.data.catalogue import CATALOGUE, CorruptData, DataSet, DataUnavailable
from salamandre.data.folders import folder
from salamandre.data.images import Images
from salamandre.data.loading import load
from salamandre.data.opening import open
from salamandre.data.transforms import (
    Binarise,
    Chain,
    Crop,
    Flip,
    Mask,
    Noise,
    RandomCrop,
    Resize,
    Shift,
    apply,
)
