"""The layers, a small file each; their public names are those of ``salamandre`` itself."""
