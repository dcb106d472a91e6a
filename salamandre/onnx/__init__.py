"""Networks as ONNX files, and networks from them.

ONNX describes a network as nodes, each an operation of a standard: runtimes for servers, phones and
browsers compute them. Needs the extra ``onnx``; it is imported when it is used.
"""

from salamandre.onnx.exporting import export_onnx as export_onnx
from salamandre.onnx.importing import import_onnx as import_onnx
from salamandre.onnx.nodes import NODES as NODES
