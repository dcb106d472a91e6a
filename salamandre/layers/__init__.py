"""The layers, a small file each; their public names are those of ``salamandre`` itself."""

from salamandre.parts import missing as _missing


def __getattr__(name: str) -> object:
    raise AttributeError(f"{_missing(__name__, name, ())} (the layers are in salamandre itself)")
