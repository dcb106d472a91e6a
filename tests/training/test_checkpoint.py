"""Checkpoints: those of version 0.1, of this one, and those that do not fit."""

from __future__ import annotations

import copy
import math
import pickle
import threading

import numpy as np
import pytest
import runs_of_0_1 as old
from safetensors.numpy import load_file
from test_loop import StopAt, Taken

import salamandre as sal
from salamandre.storage import read_file, write_file

RUNS = ("engine", "gan", "wgan", "remedies")


def play(run, steps, *callbacks):
    """Bring a run to so many steps in all."""
    if isinstance(run, sal.Engine):
        run.callbacks = (*callbacks, StopAt(steps))
        run.run(100)
    else:
        run.play(steps, callbacks)


def content(run):
    """Return all that must be equal in runs that went the same way."""
    records = [{k: v for k, v in r.items() if k != "seconds"} for r in run.history.records]
    arrays = {name: np.array(array) for name, array in run._state().all_arrays().items()}
    streams = {name: stream.state for name, stream in run._state().all_streams().items()}
    return {
        **{name: array.tobytes() for name, array in arrays.items()},
        **{f"history/{name}": values for name, values in run.history.steps.items()},
        **{"records": repr(records), "streams": repr(streams), "drawn": run.batches.drawn},
    }


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_version_0_1_goes_on(name):
    run = getattr(old, name)()
    run.resume(old.FIXTURES / f"{name}.safetensors")
    assert run.step == old.SAVED
    if name == "engine":
        (record,) = run.history.records
        assert record["step"] == 5 and 0 < record["accuracy"] < 1 and record["epoch"] == 1
    else:
        assert [record["round"] for record in run.history.records] == [4, 8]
        assert run.history.metrics() == {"number": 4, "far": math.inf}
    play(run, old.END)
    assert len(run.history) == old.END
    expected = load_file(old.FIXTURES / f"{name}-end.safetensors")
    found = old.weights(run)
    assert found.keys() == expected.keys()
    for key, array in expected.items():
        assert np.allclose(found[key], array, rtol=1e-4, atol=1e-6), key


@pytest.mark.parametrize("name", RUNS)
def test_a_run_is_saved_and_goes_on_bit_for_bit(name, tmp_path):
    whole, first, second = (getattr(old, name)() for _ in range(3))
    play(whole, 12)
    play(first, 7)
    first.save(tmp_path / "run")
    play(second, 3)  # whatever it was before
    second.resume(tmp_path / "run")
    assert content(second) == content(first)
    assert list(second.history.steps) == list(first.history.steps)
    assert second.seconds == first.seconds
    play(second, 12)
    assert content(second) == content(whole)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("twin", [copy.deepcopy, lambda run: pickle.loads(pickle.dumps(run))])
def test_a_copy_in_mid_run_goes_on_like_the_original(name, twin):
    run, twins = getattr(old, name)(), []
    play(run, 12, Taken(twins, 5, twin))
    (other,) = twins
    assert other.step == 5
    play(other, 12)
    assert content(other) == content(run)


def rewritten(path, change):
    """Write a checkpoint anew with another description."""
    stored = read_file(path, "checkpoint")
    change(stored.architecture)
    write_file(path, "checkpoint", stored.architecture, stored.tensors)


def test_what_an_earlier_version_did_not_write_down_has_its_default(tmp_path):
    first = old.engine()
    play(first, 3)
    first.save(tmp_path / "run")

    def forget(description):
        identity = description["identity"]
        del identity["network"]["layers"][1]["momentum"]  # of batch-norm
        del identity["network"]["optimizer"]["beta1"]
        del identity["network"]["loss"]["label_smoothing"]
        identity["option_that_is_gone"] = None

    rewritten(tmp_path / "run", forget)
    second = old.engine()
    second.resume(tmp_path / "run")
    assert second.step == 3
    rewritten(tmp_path / "run", lambda d: d["identity"].update(option_that_is_gone=0.5))
    with pytest.raises(ValueError, match=r"its option_that_is_gone is 0\.5, here it is None"):
        second.resume(tmp_path / "run")


def test_a_default_is_not_what_another_run_has(tmp_path):
    first = sal.Engine(network(), (np.eye(4), np.arange(4)), batch_size=2)
    first.save(tmp_path / "run")

    def forget(description):
        del description["identity"]["network"]["layers"][1]["momentum"]

    rewritten(tmp_path / "run", forget)
    other = sal.Engine(network(momentum=0.5), (np.eye(4), np.arange(4)), batch_size=2)
    with pytest.raises(ValueError, match=r"layers\[1\]\.momentum is .*, here it is 0\.5"):
        other.resume(tmp_path / "run")


def network(**options):
    layers = [sal.NeuronLayer(4), sal.BatchNorm(**options), sal.Softmax()]
    return sal.Network(layers, 4, sal.CrossEntropy(), sal.SGD())


DECAY = {"class": "schedules.StepDecay", "rate": 1.0, "every": 1}


def schedules(description, value):
    for learned in description["optimizers"].values():
        learned[1] = value


def records(description, tensors, values, names):
    description["records"], tensors["records"] = [names], np.array(values).ravel()


def history(tensors, change):
    first = next(name for name in tensors if name.startswith("history/"))
    tensors[first] = np.ascontiguousarray(change(tensors[first]))


@pytest.mark.parametrize("name", ["engine", "gan"])
def test_a_damaged_checkpoint_changes_nothing(name, tmp_path):
    saved, run = getattr(old, name)(), getattr(old, name)()
    play(saved, 6)
    play(run, 2)
    before = content(run)
    path = tmp_path / "run"
    for change, message in (
        (lambda d, t: d.pop("drawn"), "damaged: object missing required field `drawn`"),
        (lambda d, t: d["random"].clear(), "it lacks '"),
        (lambda d, t: t.pop(next(iter(t))), "it (holds no array|lacks|must hold)"),
        (
            lambda d, t: t.update({n: a * np.nan for n, a in t.items()}),
            "holds NaN or infinity|must be of the",
        ),
        (lambda d, t: d["identity"].update(seed=9), "belongs to another run: its seed is 9, here"),
        (lambda d, t: d.update(drawn=-1), "at drawn: expected `int` >= 0"),
        (lambda d, t: d.update(seconds="long"), "at seconds: expected `float`"),
        (lambda d, t: d.update(steps=d["steps"][:-1]), "must hold the values of the steps"),
        (lambda d, t: schedules(d, 0.1), "must be a schedule, got 0.1"),
        (lambda d, t: schedules(d, {"class": "layers.ReLU"}), "must be a schedule, got ReLU"),
        (lambda d, t: schedules(d, {"class": "schedules.Schedule"}), "unknown component"),
        (lambda d, t: schedules(d, {**DECAY, "factor": 1e200}), "cannot be loaded"),
        (lambda d, t: [o.__setitem__(0, 10**30) for o in d["optimizers"].values()], "at optimizer"),
        (lambda d, t: [s.update(state={"inc": 1}) for s in d["random"].values()], "lacks 'state'"),
        (lambda d, t: [s.update(uinteger=-1) for s in d["random"].values()], "cannot be loaded"),
        (lambda d, t: [s.update(uinteger=1.5) for s in d["random"].values()], "' is not one$"),
        (lambda d, t: d["records"].append(["accuracy"]), "records name"),
        (lambda d, t: t.update(records=np.append(t["records"], 1.0)), "records name"),
        (lambda d, t: records(d, t, [[7.0]], ["epoch"]), "lacks '"),
        (lambda d, t: records(d, t, [[7.0], [7.0]], ["step", "round"]), "must be of the 6"),
        (lambda d, t: records(d, t, [[math.nan]] * 2, ["step", "round"]), "must be of the 6"),
        (lambda d, t: history(t, lambda v: v[:2]), "a number of each name|must be of the 2"),
        (lambda d, t: history(t, lambda v: v[None]), "a number of each name"),
        (lambda d, t: history(t, lambda v: v * math.inf), "history holds NaN or infinity"),
        (lambda d, t: t.update({n: a.astype("f8") for n, a in t.items()}), "is of float64, not"),
    ):
        saved.save(path)
        stored = read_file(path, "checkpoint")
        change(stored.architecture, stored.tensors)
        write_file(path, "checkpoint", stored.architecture, stored.tensors)
        with pytest.raises(ValueError, match=f"{path} .*{message}"):
            run.resume(path)
        assert content(run) == before


def test_a_run_of_another_kind_is_not_resumed(tmp_path):
    old.gan().save(tmp_path / "run")
    with pytest.raises(ValueError, match="belongs to another run: its network is None"):
        old.engine().resume(tmp_path / "run")
    with pytest.raises(ValueError, match="belongs to another run: its game is GanGame, here it is"):
        old.wgan().resume(tmp_path / "run")


def test_a_run_that_has_not_begun_can_be_saved(tmp_path):
    run, again = old.gan(), old.gan()
    run.save(tmp_path / "run")
    play(again, 2)
    again.resume(tmp_path / "run")
    assert again.step == 0
    for game in (run, again):
        play(game, 4)
    assert content(again) == content(run)


class Classifier(sal.Network):
    """A network whose constructor has arguments of its own, as version 0.1 noted them."""

    def __init__(self, hidden):
        layers = [sal.NeuronLayer(hidden, sal.Tanh()), sal.NeuronLayer(2, sal.Softmax())]
        super().__init__(layers, 3, sal.CrossEntropy(), sal.Adam(), dtype="float64")


def test_a_network_with_arguments_of_its_own_goes_on(tmp_path):
    x = np.random.default_rng(0).normal(size=(8, 3))

    def engine(hidden=4):
        return sal.Engine(Classifier(hidden), (x, np.arange(8) % 2), batch_size=4)

    run, whole = engine(), engine()
    whole.run(3)
    run.run(1)
    run.save(tmp_path / "run.safetensors")
    resumed = engine()
    resumed.resume(tmp_path / "run.safetensors")
    assert resumed.run(3).steps == whole.history.steps
    with pytest.raises(ValueError, match=r"another run: its network.hidden is 4, here it is 5"):
        engine(5).resume(tmp_path / "run.safetensors")


def test_equal_runs_write_equal_bytes(tmp_path):
    for path in ("a", "b"):
        run = old.gan()
        play(run, 3)
        run.seconds = 1.5
        run.save(tmp_path / path)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    again = old.gan()
    again.resume(tmp_path / "a")
    again.save(tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_nobody_sees_half_of_a_state_that_is_restored():
    """Who predicts meanwhile keeps writers out; they wait for it."""
    run = sal.Engine(
        sal.Network([sal.NeuronLayer(2)], 3, sal.MeanSquaredError(), sal.Adam()),
        (np.ones((8, 3)), np.ones((8, 2))),
    )
    snapshot = run.snapshot()
    run.run(1)
    after = run.network.parameters.copy()
    restoring = threading.Thread(target=run.restore, args=(snapshot,), daemon=True)
    run.network.gate.begin_reading()
    restoring.start()
    restoring.join(0.2)
    assert restoring.is_alive() and np.array_equal(run.network.parameters, after)
    run.network.gate.end_reading()
    restoring.join(10)
    assert not restoring.is_alive() and not np.array_equal(run.network.parameters, after)
