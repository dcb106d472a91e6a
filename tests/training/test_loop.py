"""The loop that engines and games share, with steps that only count."""

from __future__ import annotations

import copy
import math
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

import salamandre as sal
from salamandre.training import Loop


class Counting(Loop):
    """Each step notes its number; an epoch has three."""

    steps_per_epoch = 3

    def _take_step(self):
        self.history.append(number=float(self.step + 1))

    def run(self, planned, *callbacks):
        return self._run(planned, callbacks)


class Recorder(sal.Callback):
    """Writes down every call."""

    def __init__(self, every=None):
        self.calls = []
        if every is not None:
            self.every = every

    def on_start(self, run):
        self.calls.append(("start", run.step))

    def on_step(self, run):
        self.calls.append(("step", run.step))

    def on_record(self, run):
        self.calls.append(("record", run.step))

    def on_end(self, run):
        self.calls.append(("end", run.step))


class At(sal.Callback):
    """Does something at a step."""

    def __init__(self, step, do):
        self.step, self.do = step, do

    def on_step(self, run):
        if run.step == self.step:
            self.do(run)


class StopAt(sal.Callback):
    """Stops a run at a step."""

    def __init__(self, step):
        self.step = step

    def on_step(self, run):
        if run.step == self.step:
            run.stop()


class Taken(sal.Callback):
    """Copies a run at a step; the copies of itself take none."""

    def __init__(self, twins, step, twin):
        self.twins, self.step, self.twin = twins, step, twin

    def on_step(self, run):
        if run.step == self.step:
            self.twins.append(self.twin(run))

    def __reduce__(self):
        return Taken, ([], self.step, None)


def test_callbacks_are_called_in_order_and_as_often_as_they_say():
    loop, all_steps = Counting(), Recorder()
    epochs, pairs = Recorder(sal.Epochs(1)), Recorder(sal.Steps(2))
    loop.run(7, all_steps, epochs, pairs, At(4, lambda run: run.record({"a": 2})))
    steps = [("step", n) for n in range(1, 8)]
    steps.insert(4, ("record", 4))
    assert all_steps.calls == [("start", 0), *steps, ("end", 7)]
    assert epochs.calls == [("start", 0), ("step", 3), ("record", 4), ("step", 6), ("end", 7)]
    assert [n for what, n in pairs.calls if what == "step"] == [2, 4, 6]
    (record,) = loop.history.records
    assert 0 <= record.pop("seconds") <= loop.seconds + 0.001 and record == {"step": 4, "a": 2}
    assert loop.planned == 7 and loop.epochs == 3 and loop.seconds_left == 0


def test_the_time_left_is_that_of_the_mean_pace():
    loop, left = Counting(), []
    assert math.isnan(loop.seconds_left)

    def at_two(run):
        run.seconds = 10
        left.append(run.seconds_left)

    loop.run(6, At(2, at_two))
    assert left == [pytest.approx(20)]


def test_seconds_are_counted_from_the_last_time_on():
    loop, often, never = Counting(), Recorder(sal.Seconds(0)), Recorder(sal.Seconds(3600))
    loop.run(5, often, never)
    assert len(often.calls) == 7 and len(never.calls) == 2


def test_a_run_goes_on_where_the_last_one_ended():
    loop = Counting()
    loop.run(10, StopAt(4))
    assert loop.step == 4 and not loop.interrupted
    loop.run(6)
    loop.run(5)
    assert loop.history.steps["number"] == [1, 2, 3, 4, 5, 6]


def test_those_that_were_started_are_told_of_the_end_even_if_one_fails():
    class Fails(sal.Callback):
        def on_start(self, run):
            raise OSError("no space")

    class FailsAtTheEnd(sal.Callback):
        def on_end(self, run):
            raise ValueError("worse")

    loop, first, last = Counting(), Recorder(), Recorder()
    with pytest.raises(OSError, match="no space"):
        loop.run(3, first, Fails(), last)
    assert first.calls == [("start", 0), ("end", 0)] and last.calls == []
    assert isinstance(loop.error, OSError)
    with pytest.raises(ValueError, match="worse"):
        loop.run(3, FailsAtTheEnd(), last)
    assert str(loop.error) == "worse" and last.calls[-1] == ("end", 3)
    loop.run(4)
    assert loop.error is None


def test_the_end_is_told_of_the_error():
    seen = []

    class Watches(sal.Callback):
        def on_end(self, run):
            seen.append(run.error)

    def fail(run):
        raise sal.Diverged("too steep")

    loop = Counting()
    with pytest.raises(sal.Diverged):
        loop.run(5, At(2, fail), Watches())
    assert seen == [loop.error] and isinstance(loop.error, sal.Diverged)
    loop.run(5, Watches())
    assert loop.error is None and loop.step == 5


def test_what_is_no_callback_is_refused_before_the_first_step():
    class Mine(sal.Callback):
        every = 5

    loop = Counting()
    with pytest.raises(TypeError, match=r"a function of the run, got <class .*Recorder.*make one"):
        loop.run(3, Recorder)
    for wrong in (lambda: None, 3, "accuracy"):
        with pytest.raises(TypeError, match=r"a Callback object or a function of the run, got"):
            loop.run(3, wrong)
    with pytest.raises(TypeError, match=r"Mine every must be Steps.*write Steps\(5\)"):
        loop.run(3, Mine())
    assert loop.step == 0


def test_a_method_of_a_callback_that_is_never_called_is_told():
    class Mine(sal.Callback):
        def on_epoch_end(self, run):
            pass

    with pytest.warns(UserWarning, match=r"Mine.on_epoch_end is not called by a run, which calls"):
        Counting().run(3, Mine())
    Mine.on_epoch_end = 3  # a setting is no method
    Counting().run(3, Mine())


def test_a_run_cannot_be_started_in_itself():
    loop = Counting()
    with pytest.raises(
        RuntimeError, match=r"Counting: 2 steps: .* a callback cannot start it again"
    ):
        loop.run(4, At(2, lambda run: run.run(9)))
    loop.run(4)
    assert loop.step == 4


def test_ctrl_c_in_a_callback_ends_the_run_when_all_have_seen_the_step():
    loop, last, late = Counting(), Recorder(), []

    def press(run):
        os.kill(os.getpid(), signal.SIGINT)
        late.append(run.step)

    loop.run(9, At(4, press), last)
    assert late == [4] and last.calls[-2:] == [("step", 4), ("end", 4)] and loop.interrupted
    loop.run(9, At(9, press))  # at the last step
    assert loop.step == 9 and loop.interrupted


def test_a_run_and_its_parts_can_be_read():
    loop = Counting()
    assert repr(loop) == "<Counting: 0 steps; no records>"
    loop.run(1200, At(1000, lambda run: run.record({"a": 0.5})), At(1100, lambda run: 0))
    assert (
        repr(loop) == "<Counting: 1,200 steps: number 1200; 1 record, the latest: step 1000, a 0.5>"
    )
    assert repr(sal.EarlyStopping("accuracy", 3)).startswith(
        "EarlyStopping(metric='accuracy', patience=3, mode='max'"
    )
    assert len(repr(Recorder())) < 100
    many = Recorder()
    many.calls = list(range(1000))
    assert len(repr(many)) < 100


def test_the_first_ctrl_c_ends_the_run_after_its_step():
    loop = Counting()
    loop.run(9, At(4, lambda run: os.kill(os.getpid(), signal.SIGINT)))
    assert loop.interrupted and loop.step == 4
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    loop.run(9)
    assert not loop.interrupted and loop.step == 9


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGINT for one process")
def test_a_second_ctrl_c_ends_the_program():
    program = """
    import os, signal
    import salamandre as sal
    from test_loop import Counting

    signal.signal(signal.SIGINT, signal.default_int_handler)

    class Stuck(Counting):
        def _take_step(self):
            os.kill(os.getpid(), signal.SIGINT)
            print("still here", flush=True)
            os.kill(os.getpid(), signal.SIGINT)
            print("too late", flush=True)

    Stuck().run(9)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)],
        cwd=os.path.dirname(__file__),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "still here\n" and "KeyboardInterrupt" in done.stderr


def test_a_run_may_be_in_any_thread():
    loop = Counting()
    thread = threading.Thread(target=loop.run, args=(4,))
    thread.start()
    thread.join()
    assert loop.step == 4


@pytest.mark.parametrize("twin", [copy.deepcopy, lambda loop: pickle.loads(pickle.dumps(loop))])
def test_a_copy_in_mid_run_goes_on_like_the_original(twin, tmp_path, capsys):
    twins = []
    watching = [
        sal.ProgressBar(every=sal.Seconds(0)),
        sal.Curves(tmp_path, every=sal.Steps(1)),
        sal.EarlyStopping("a", mode="max"),
        sal.training.EpochLines(),
    ]
    loop = Counting()
    loop.run(8, *watching, Taken(twins, 5, twin))
    (other,) = twins
    assert other.step == 5 and loop.step == 8
    other.run(8, sal.ProgressBar())
    assert other.history.steps == loop.history.steps
    for callback in watching:
        twin(callback)  # holds no open file, lock or bar
