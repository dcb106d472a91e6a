"""The layers, a small file each; their public names are those of ``salamandre`` itself."""


def __getattr__(name: str) -> object:
    raise AttributeError(
        f"module 'salamandre.layers' has no attribute {name!r}: the layers are in salamandre itself"
    )
