"""Learning from 4 GB of data with 1 GB of memory.

The limit is that of the process's own memory (``RLIMIT_DATA``): heap, anonymous mappings, stacks.
Pages of the mapped files are not in it, since the system takes them back when it needs memory; an
address space of 1 GB (``RLIMIT_AS``) would also forbid to map the files.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import textwrap

import numpy as np
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs /proc and RLIMIT_DATA"),
]
SHAPE, PARTS, GB = (3, 64, 64), 8, 1 << 30
ROWS = 4 * GB // PARTS // (3 * 64 * 64)

PROGRAM = textwrap.dedent(
    """
    import json, resource, sys, threading
    from pathlib import Path
    import numpy as np
    import salamandre as sal
    from salamandre import data

    GB = 1 << 30
    resource.setrlimit(resource.RLIMIT_DATA, (GB, GB))
    folder, mapped = sys.argv[1], sys.argv[2] == "mapped"
    inputs, labels = data.shards(folder)
    if mapped:
        inputs = np.load(inputs.paths[0], mmap_mode="r")
    peak, ended = 0, threading.Event()

    def watch():
        global peak
        while not ended.wait(0.02):
            lines = Path("/proc/self/status").read_text().splitlines()
            (anonymous,) = (int(line.split()[1]) for line in lines if "RssAnon" in line)
            peak = max(peak, anonymous * 1024)

    threading.Thread(target=watch, daemon=True).start()
    layers = [sal.AveragePool(4), sal.Flatten(), sal.NeuronLayer(2, sal.Softmax())]
    network = sal.Network(layers, (3, 64, 64), sal.CrossEntropy(), sal.Adam(0.01))
    engine = sal.Engine(network, (inputs, labels), batch_size=256)
    engine.run(1)
    ended.set()
    try:
        np.array(inputs)
        whole = True
    except MemoryError:
        whole = False
    loss = engine.history.mean("loss")
    print(json.dumps({"peak": peak, "whole": whole, "loss": loss, "steps": engine.step}))
    """
)


@pytest.fixture(params=["shards", "mapped"])
def source(request, tmp_path):
    """A folder of eight files, or of one, and how it is read: pictures are brighter if y is 1."""
    random = np.random.default_rng(0)
    parts = PARTS if request.param == "shards" else 1
    for part in range(parts):
        count = ROWS * PARTS // parts
        labels = random.integers(0, 2, count)
        images = np.lib.format.open_memmap(
            tmp_path / f"x-{part}.npy", "w+", np.uint8, (count, *SHAPE)
        )
        noise = random.integers(0, 200, (1000, *SHAPE), dtype=np.uint8)
        for first in range(0, count, 1000):
            bright = (50 * labels[first : first + 1000]).astype(np.uint8)[:, None, None, None]
            images[first : first + 1000] = noise[: len(bright)] + bright
        del images
        np.save(tmp_path / f"y-{part}.npy", labels)
    yield tmp_path, request.param
    shutil.rmtree(tmp_path)


def test_an_epoch_of_4_gb_needs_less_than_1_gb(source):
    command = [sys.executable, "-W", "error", "-c", PROGRAM, *map(str, source)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["steps"] == ROWS * PARTS // 256
    assert found["peak"] < 0.5 * GB
    assert found["loss"] < 0.4  # it has learned
    assert not found["whole"]  # so the limit was one
