"""Threads that work on the shares of a batch: when others may work for a thread, too."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from salamandre.backend import team


class Library:
    """A BLAS of two threads."""

    threads = 2

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, threads):
        self.threads = threads


def test_threads_are_free_where_blas_keeps_to_one_and_no_share_is_computed(monkeypatch):
    monkeypatch.setattr(team, "cores", lambda: 2)
    monkeypatch.setattr(team, "_blas", team._Blas())
    team._blas.libraries = [Library()]
    assert team.free_threads() == 1
    with team.one_blas_thread():
        assert team.free_threads() == 2
        assert team.team(2).run(lambda group: team.free_threads()) == [1, 1]
        with ThreadPoolExecutor(1) as other:  # a thread with a network of its own
            assert other.submit(team.free_threads).result() == 1
        with team.one_blas_thread():
            assert team.free_threads() == 2
        assert team.free_threads() == 2
    assert team.free_threads() == 1


def exit_of_child(program):
    """Return ``code`` of the process that a program forks, for which ``child`` is 0."""
    begin = "import os, warnings\nwarnings.simplefilter('ignore')\n"
    end = (
        "if not child: os._exit(code)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    done = subprocess.run([sys.executable, "-c", begin + program + end], timeout=60)
    return done.returncode


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")


@needs_fork
def test_a_forked_process_has_threads_of_its_own():
    program = (
        "import numpy as np, salamandre as sal\n"
        "layers = [sal.NeuronLayer(3), sal.BatchNorm()]\n"
        "net = sal.Network(layers, 2, sal.MeanSquaredError(), sal.SGD(0.1), threads=2)\n"
        "x, t = np.arange(8.0).reshape(4, 2), np.ones((4, 3))\n"
        "net.learn(x, t)\n"
        "child, code = os.fork(), 7\n"
        "net.learn(x, t)\n"
    )
    assert exit_of_child(program) == 7


def test_ctrl_c_while_blas_gets_its_threads_back_leaves_them_with_it(monkeypatch):
    class Interrupted(Library):
        times = 0

        def set_num_threads(self, threads):
            self.times += 1
            if self.times == self.stop:
                raise KeyboardInterrupt
            super().set_num_threads(threads)

    for stop in (1, 2):
        library = Interrupted()
        library.stop = stop
        monkeypatch.setattr(team, "_blas", team._Blas())
        team._blas.libraries = [library]
        with pytest.raises(KeyboardInterrupt), team.one_blas_thread():
            pass
        assert library.threads == 2 and team._blas.owner is None
        with team.one_blas_thread():
            assert library.threads == 1
        assert library.threads == 2


def test_what_ctrl_c_has_left_behind_is_put_right_by_the_next_block(monkeypatch):
    library = Library()
    monkeypatch.setattr(team, "_blas", team._Blas())
    team._blas.libraries = [library]
    team._blas.limit()  # and never freed
    with team.one_blas_thread():
        assert library.threads == 1
    assert library.threads == 2 and team.allowed_threads() == min(2, team.cores())


def test_a_thread_goes_on_to_share_its_batches_when_the_program_has_ended():
    program = (
        "import threading, numpy as np, salamandre as sal\n"
        "net = sal.Network([sal.NeuronLayer(3)], 2, 'mse', sal.SGD(0.1), threads=2)\n"
        "def train():\n"
        "    threading.main_thread().join()\n"
        "    for _ in range(3): net.learn(np.ones((4, 2)), np.ones((4, 3)))\n"
        "    print('learned')\n"
        "net.learn(np.ones((4, 2)), np.ones((4, 3)))\n"
        "threading.Thread(target=train).start()\n"
    )
    done = subprocess.run([sys.executable, "-c", program], timeout=60, capture_output=True)
    assert done.stdout.strip() == b"learned", done.stderr


@needs_fork
def test_a_process_that_is_forked_in_a_block_gets_its_threads_back():
    program = (
        "from salamandre.backend import team\n"
        "before = team._blas._numbers()\n"
        "with team.one_blas_thread():\n"
        "    child = os.fork()\n"
        "code = 7 if team._blas._numbers() == before else 1\n"
    )
    assert exit_of_child(program) == 7


def test_ctrl_c_while_work_is_handed_out_ends_the_wait(monkeypatch):
    class Interrupted:
        def put(self, call):
            raise KeyboardInterrupt

    crew = team.Team(2)
    monkeypatch.setattr(crew, "_calls", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        crew.run(lambda group: group.rank)
