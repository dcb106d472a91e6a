"""Labelled images, and pairs of images: published sets by name, data of one's own, arrays."""

from salamandre.data.arrays import split
from salamandre.data.batches import prefetch
from salamandre.data.catalogue import CATALOGUE, CorruptData, DataSet, DataUnavailable
from salamandre.data.folders import folder
from salamandre.data.images import Images
from salamandre.data.loading import at_hand, load
from salamandre.data.opening import open
from salamandre.data.paired_images import Pairs
from salamandre.data.pairing import pairs
from salamandre.data.sharding import Shards, shards
from salamandre.data.transforms import (
    AlternatingFlip,
    Binarise,
    Chain,
    Crop,
    Flip,
    Jitter,
    Mask,
    Noise,
    RandomCrop,
    Reflect,
    Resize,
    Shift,
    apply,
)
