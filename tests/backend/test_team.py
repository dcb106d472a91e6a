"""Threads that work on the shares of a batch: when others may work for a thread, too."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from salamandre.backend import team


class Library:
    """A BLAS of two threads."""

    threads = 2

    def get_num_threads(self):
        return self.threads

    def set_num_threads(self, threads):
        self.threads = threads


def test_threads_are_free_where_blas_keeps_to_one_and_no_share_is_computed(monkeypatch):
    monkeypatch.setattr(team, "_cores", lambda: 2)
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
