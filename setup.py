"""Packaging of Salamandre."""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "salamandre/__init__.py").read_text()).group(1)

EXAMPLES = ["numba>=0.60"]
DATA = ["pyarrow>=15"]  # files of Parquet
INSPECTION = ["scikit-learn>=1.4"]  # the linear SVM of transfer learning
EVALUATION = ["scipy>=1.11"]  # exact Wasserstein distances
MPI = ["mpi4py>=4", "openmpi>=5; sys_platform == 'linux' or sys_platform == 'darwin'"]
STUDIES = ["joblib>=1.4", "scipy>=1.15"]  # several processes, Sobol's points, permutation tests
ONNX = ["onnx>=1.16"]  # files for other runtimes
DOCS = [
    *INSPECTION,
    *STUDIES,
    "furo>=2024.8",
    "ipykernel>=6.29",
    "jupytext>=1.16",
    "myst-parser>=4",
    "nbclient>=0.10",
    "sphinx>=8",
    "sphinx-copybutton>=0.5",
    "sphinx-gallery>=0.18",
]
SKLEARN = ["scikit-learn>=1.6"]  # estimators for its pipelines and searches
TENSORBOARD = ["tensorboardX>=2.6"]
TEST = [
    *EXAMPLES,
    *DATA,
    *INSPECTION,
    *EVALUATION,
    *MPI,
    *STUDIES,
    *ONNX,
    *SKLEARN,
    *TENSORBOARD,
    "build>=1.2",
    "distributed>=2024.1",
    "hypothesis>=6.100",
    "mypy>=1.11",
    "onnxruntime>=1.18",
    "optuna>=4",
    "pandas>=2",
    "pytest>=9",
    "pytest-xdist>=3.6",
    "ray>=2.9; python_version < '3.14'",
    "ruff>=0.6",
    "scikit-image>=0.22",
    "skl2onnx>=1.18",
    "torch==2.13.0",  # one version: trajectories are compared to the last digits
]

setup(
    name="salamandre",
    version=VERSION,
    description="Neural networks and adversarial games from scratch, on NumPy and CuPy",
    long_description=(HERE / "README.md").read_text(encoding="utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.10",
    packages=find_packages(include=["salamandre", "salamandre.*"]),
    package_data={
        "salamandre": ["py.typed"],
        "salamandre.data": ["*.json", "*.npz", "*.md"],
        "salamandre.models": ["*.txt", "*.md"],
        "salamandre.pages": ["*.html"],
    },
    install_requires=[
        "numpy>=2.0",
        "pillow>=10.1",
        "matplotlib>=3.8",
        "pooch>=1.8",
        "urllib3>=2.2",
        "filelock>=3.30",
        "msgspec>=0.19",
        "safetensors>=0.4",
        "tqdm>=4.60",
        "platformdirs>=4",
        "threadpoolctl>=3.1",
        "click>=8.1",
        "tomli>=2; python_version < '3.11'",
    ],
    entry_points={"console_scripts": ["salamandre = salamandre.cli:main"]},
    extras_require={
        "fast": ["numba>=0.60"],
        "cuda12x": ["cupy-cuda12x[ctk]>=14"],
        "cuda13x": ["cupy-cuda13x[ctk]>=14"],
        "data": DATA,
        "examples": EXAMPLES,
        "inspection": INSPECTION,
        "evaluation": EVALUATION,
        "mpi": MPI,
        "sklearn": SKLEARN,
        "studies": STUDIES,
        "tensorboard": TENSORBOARD,
        "dask": [*STUDIES, "distributed>=2024.1"],
        "ray": [*STUDIES, "ray>=2.9"],
        "onnx": ONNX,
        "optuna": [*STUDIES, "optuna>=4"],
        "test": TEST,
        "benchmarks": [*TEST, "jax[cpu]>=0.6", "thinc>=9"],
        "docs": DOCS,
    },
)
