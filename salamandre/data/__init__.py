"""Labelled images, and pairs of images: published sets by name, data of one's own, arrays."""

from typing import TYPE_CHECKING

from salamandre.data.arrays import split as split
from salamandre.data.batches import prefetch as prefetch
from salamandre.data.catalogue import (
    CATALOGUE as CATALOGUE,
    CorruptData as CorruptData,
    DataSet as DataSet,
    DataUnavailable as DataUnavailable,
)
from salamandre.data.folders import folder as folder
from salamandre.data.images import Images as Images
from salamandre.data.loading import at_hand as at_hand, load as load
from salamandre.data.opening import open as open
from salamandre.data.paired_images import Pairs as Pairs
from salamandre.data.pairing import pairs as pairs
from salamandre.data.sharding import Shards as Shards, shards as shards
from salamandre.data.transforms import (
    AlternatingFlip as AlternatingFlip,
    Binarise as Binarise,
    Chain as Chain,
    Crop as Crop,
    Flip as Flip,
    Jitter as Jitter,
    Mask as Mask,
    Noise as Noise,
    RandomCrop as RandomCrop,
    Reflect as Reflect,
    Resize as Resize,
    Shift as Shift,
    apply as apply,
)
from salamandre.parts import missing as _missing

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        raise _missing(__name__, name, globals())
