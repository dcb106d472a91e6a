"""Pickles of data are read; what names or does anything else is refused, and nothing is run."""

from __future__ import annotations

import os
import pickle
import time
import tracemalloc

import numpy as np
import pytest

from salamandre.data.unpickling import unpickle

RANDOM = np.random.default_rng(0)


def python_2(images, labels):
    """A batch as Python 2 wrote it: protocol 2, strings of bytes, NumPy's old names."""

    def text(value):
        return b"U" + bytes([len(value)]) + value

    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\nK\x00\x85" + text(b"b")
    array += b"\x87R(K\x01" + b"".join(b"M" + n.to_bytes(2, "little") for n in images.shape)
    array += b"\x86cnumpy\ndtype\n" + text(b"u1") + b"K\x00K\x01\x87R(K\x03" + text(b"|")
    array += b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89"
    array += b"T" + images.nbytes.to_bytes(4, "little") + images.tobytes() + b"tb"
    numbers = b"](" + b"".join(b"K" + bytes([label]) for label in labels) + b"e"
    return b"\x80\x02}(" + text(b"data") + array + text(b"labels") + numbers + b"u."


def test_a_pickle_of_python_2():
    images = RANDOM.integers(0, 256, (3, 3072), np.uint8)
    content = unpickle(python_2(images, [1, 0, 9]))
    np.testing.assert_array_equal(content["data"], images)
    assert content["labels"] == [1, 0, 9]


class Call:
    def __init__(self, function, *arguments):
        self.how = function, arguments

    def __reduce__(self):
        return self.how


@pytest.mark.parametrize("protocol", range(6))
def test_a_malicious_pickle_is_not_run(tmp_path, protocol):
    target = tmp_path / "written"
    for bad in (
        Call(os.system, f"touch {target}"),
        Call(eval, f"open({str(target)!r}, 'w')"),
        Call(open, str(target), "w"),
    ):
        for content in ({"data": bad}, bad, {"labels": [bad]}):
            with pytest.raises(ValueError, match=r"^is no pickle of .*it names \w+\.\w+\)$"):
                unpickle(pickle.dumps(content, protocol))
    assert not target.exists()


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy\nsave\n.",
        b"cnumpy\nndarray.tofile\n.",
        b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93.",
        b"(S'x'\nios\nsystem\n.",
        b"\x82\x01.",
        b"Pname\n.",
        b"cnumpy\ndtype\n)R.",
        b"\x80\x04\x95",
        b"Nr\xff\xff\xff\x7f.",  # would take gigabytes to remember one thing
        b"\x80\x05\x96\xff\xff\xff\xff\x00\x00\x00\x00.",
        b"\x80\x05\x97.",
        b"\x80\x02cnumpy\ndtype\n)\x81.",
        b"N.",
        b"",
        b"}(U\x04data" + b"cnumpy.core.multiarray\n_reconstruct\n)Ru.",
        b"}(U\x04datacnumpy.core.multiarray\n_reconstruct\nu.",
        b"}(U\x04datacnumpy.core.multiarray\n_reconstruct\n}U\x01aK\x01sbu.",
        b"}(U\x04data](cnumpy\ndtype\neu.",
    ],
)
def test_a_strange_pickle_is_refused(program):
    with pytest.raises(ValueError, match=r"^is no pickle of a dictionary"):
        unpickle(program)


def test_arrays_of_objects_are_refused():
    with pytest.raises(ValueError, match="is no pickle of a dictionary"):
        unpickle(pickle.dumps({"data": np.array([{}, []], object)}, protocol=4))


def test_arrays_of_every_type_of_numbers():
    for code in ("?", "u1", "i1", "<u2", "<i4", "<i8", "<f4", "<f8"):
        array = np.arange(6).reshape(2, 3).astype(code)
        for given in (array, np.asfortranarray(array)):
            found = unpickle(pickle.dumps({"a": given}, protocol=4))["a"]
            np.testing.assert_array_equal(found, given)
            assert found.dtype == given.dtype
    with pytest.raises(ValueError, match="big-endian"):
        unpickle(pickle.dumps({"a": np.arange(3, dtype=">i4")}, protocol=4))


def doubled(first, pair):
    """A value that holds the one before twice, thirty times."""
    value = first
    for place in range(30):
        value += b"q" + bytes([place]) + b"0" + pair.replace(b"x", b"h" + bytes([place]))
    return value


ARRAY = b"cnumpy.core.multiarray\n_reconstruct\n(tR(K\x01%scnumpy\ndtype\n(U\x02u1tR\x89U\x04aaaatb"


@pytest.mark.parametrize(
    "program",
    [
        b"}(U\x04data" + doubled(b"](K\x01K\x01e", b"](xxe") + b"u.",
        b"}(" + doubled(b"(K\x01t", b"(xxt") + b"K\x01u.",  # its hash would take minutes
        b"}(K\x01" + doubled(b"(K\x01t", b"(xxt") + b"u.",
        b"}(U\x04data" + ARRAY % doubled(b"](K\x01e", b"](xxe") + b"u.",  # a shape, in an error
        b"}(U\x04data" + ARRAY % doubled(b"(K\x01t", b"(xxt") + b"u.",
        b"}(K\x01t" + b"2\x86" * 40 + b"K\x01u.",
        b"}(K\x01" + b"\x85" * 200_000 + b"K\x01u.",  # its hash would overflow the stack
    ],
)
def test_the_work_on_a_pickle_is_bounded_by_its_length(program):
    started = time.perf_counter()
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"twice|more than 1,000 tuples"):
            unpickle(program)
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()
    assert time.perf_counter() - started < 10  # 0.01 on an idle machine


def test_arrays_may_share_what_python_shares():
    images = np.zeros((2, 3), np.uint8)
    for protocol in (3, 4):
        held = {"data": images, "more": images + 1, "labels": [1, 2]}
        found = unpickle(pickle.dumps(held, protocol))
        np.testing.assert_array_equal(found["more"], images + 1)
        assert found["labels"] == [1, 2]
