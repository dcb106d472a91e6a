"""What watches games: samples, evaluations, networks of epochs."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from players import game
from test_stopping import StopAt

import salamandre as sal
from salamandre import games
from salamandre.runs.run import Run


def test_metrics_of_any_number_are_saved(tmp_path):
    def metric(_):
        return {"far": np.float32(np.inf), "none": np.nan, "count": np.int64(3)}

    play = game()
    play.play(5, [sal.games.Evaluation({"a": metric, "b": lambda g: g.rounds}, every=sal.Steps(2))])
    assert [record["round"] for record in play.history.records] == [2, 4, 5]
    play.save(tmp_path / "game")
    again = game()
    again.resume(tmp_path / "game")
    assert repr(again.history.records) == repr(play.history.records)
    again.play(6, [sal.games.Evaluation({"b": lambda g: g.rounds}, every=sal.Steps(2))])
    assert [record["round"] for record in again.history.records] == [2, 4, 6]


def test_callbacks_write_what_a_run_has_to_show(tmp_path, capsys):
    from PIL import Image

    train, _ = sal.data.load("digits")
    g = sal.Network([sal.NeuronLayer(64, sal.Tanh())], 4, optimizer=sal.Adam())
    d = sal.Network([sal.NeuronLayer(1)], 64, optimizer=sal.Adam())
    play = sal.WGanGame(g, d, train, latent=sal.Uniform(4), critic_steps=1)
    metrics = {"size": lambda game: 3, "more": lambda game: {"a": 1.0, "b": 2.0}}
    callbacks = [
        sal.ProgressBar(every=sal.Seconds(0)),
        games.Evaluation(metrics, every=sal.Steps(4)),
        games.SampleGrids(tmp_path, every=sal.Steps(4), count=9),
        sal.Curves(tmp_path, every=sal.Steps(5)),
        sal.Checkpoint(tmp_path / "game", every=sal.Steps(5)),
    ]
    play.play(10, callbacks)
    names = sorted(path.name for path in tmp_path.iterdir())
    drawn = ["animation.gif", "curves.csv", "curves.png", "dashboard.png"]
    assert names == [*drawn, "game", "metrics.csv", "samples"]
    pictures = sorted(path.name for path in (tmp_path / "samples").iterdir())
    assert pictures == [f"{n:08d}.png" for n in (0, 4, 8, 10)]
    rows = (tmp_path / "curves.csv").read_text().splitlines()
    assert rows[0] == "round,d_loss,g_loss,d_real,d_fake,distance" and len(rows) == 11
    assert [record["round"] for record in play.history.records] == [4, 8, 10]
    assert play.history.records[0] | {"seconds": 0} == {
        "round": 4,
        "seconds": 0,
        "size": 3,
        "a": 1,
        "b": 2,
    }
    with Image.open(tmp_path / "animation.gif") as animation:
        assert animation.n_frames == 4
    with Image.open(tmp_path / "samples" / "00000010.png") as picture:
        assert picture.size == (420, 442)  # at least 400 wide, a line for the round
        ink = 1 - np.asarray(picture)[36:148:14, 14:126:14] / 255
    expected = (play.generate(9)[0].reshape(8, 8) + 1) / 2
    assert np.allclose(ink, expected, atol=0.003)
    assert "distance" in capsys.readouterr().err


def test_a_game_stops_early_on_a_metric():
    play, distances = game(), iter([9.0, 5.0, 7.0, 6.0, 8.0, 9.0])
    watch = games.Evaluation({"frechet": lambda game: next(distances)}, every=sal.Steps(2))
    play.play(100, [watch, sal.EarlyStopping("frechet", patience=3)])
    assert play.rounds == 10 and play.history.best("frechet")["round"] == 4


def test_an_epoch_takes_about_as_many_real_examples_as_there_are():
    assert game(batch_size=16).steps_per_epoch == 12  # of 200 points
    assert game(sal.WGanGame, batch_size=16, critic_steps=5).steps_per_epoch == 2
    assert game(batch_size=150, discriminator_steps=2).steps_per_epoch == 1


def test_networks_of_epochs_are_kept(tmp_path):
    play = game(
        sal.WGanGame, critic_steps=5, remedies=[sal.MovingAverage(0.5)]
    )  # 2 rounds an epoch
    play.play(41, [games.EpochNetworks(tmp_path, keep=2)])  # 20.5 epochs
    kept = sorted(path.name for path in (tmp_path / "networks").glob("*.safetensors"))
    numbers = (3, 6, 9, 12, 15, 18, 19, 20)
    assert kept == [
        f"{player}-{n:04d}.safetensors"
        for player in ("discriminator", "generator")
        for n in numbers
    ]
    latest = sal.Network.load(tmp_path / "generator.safetensors").tensors()
    of_the_epoch = sal.Network.load(tmp_path / "networks" / kept[-1]).tensors()
    assert not np.array_equal(latest["0.weights"], of_the_epoch["0.weights"])
    assert np.array_equal(latest["0.weights"], play.average.network.parameters[:56].reshape(8, 7))


def kept_after(folder, *plays):
    """Return the epochs whose networks are kept after games of (epochs, keep, epochs played)."""
    play, end = game(batch_size=150), folder / "game"  # a round is an epoch
    for epochs, keep, stop in plays:
        play = game(batch_size=150)
        if end.exists():
            play.resume(end)
        play.play(epochs, [games.EpochNetworks(folder, keep), StopAt(stop), sal.Checkpoint(end)])
        assert play.rounds == stop
    return Run(folder, "name").checkpoints


@pytest.mark.parametrize(
    ("plays", "kept"),
    [
        ([(30, 3, 30), (31, 3, 31)], [*range(3, 28, 3), 28, 29, 30, 31]),
        ([(30, 3, 14), (20, 3, 20)], [3, 6, 9, 12, 13, 14, 16, 18, 19, 20]),  # a shorter plan
        ([(30, 3, 14), (30, 1, 20)], [3, 6, 9, 12, 13, 14, 15, 18, 20]),
        ([(30, None, 4), (30, 1, 12), (60, 1, 15)], [1, 2, 3, 4, 6, 9, 12, 15]),
        # Interruptions change nothing.
        ([(30, 3, 14), (30, 3, 23), (30, 3, 30)], [*range(3, 28, 3), 28, 29, 30]),
        (
            [(30, 3, 30), (31, 3, 31), (60, 1, 40)],
            [*range(3, 28, 3), 28, 29, 30, 31, 36, 40],
        ),
    ],
)
def test_networks_that_an_earlier_plan_kept_stay(tmp_path, plays, kept):
    assert kept_after(tmp_path, *plays) == kept


def test_networks_after_the_checkpoint_are_of_no_earlier_plan(tmp_path):
    kept_after(tmp_path, (30, 3, 14))
    for player in ("generator", "discriminator"):  # of a process that was killed
        (tmp_path / "networks" / f"{player}-0016.safetensors").touch()
    assert kept_after(tmp_path, (30, 1, 20)) == [3, 6, 9, 12, 13, 14, 15, 18, 20]


def test_a_damaged_or_missing_plan_loses_no_networks(tmp_path):
    kept_after(tmp_path, (30, 3, 14))
    before = Run(tmp_path, "name").checkpoints
    for text in (None, "{", "[]", '{"epochs": 30, "keep": 3}', '{"kept": 3}', '{"kept": ["x"]}'):
        plan = tmp_path / "networks" / "plan.json"
        plan.unlink() if text is None else plan.write_text(text)
        again = game(batch_size=150)
        again.resume(tmp_path / "game")
        again.play(18, [games.EpochNetworks(tmp_path, 1)])
        assert set(before) <= set(Run(tmp_path, "name").checkpoints)


def test_pictures_and_evaluations_of_an_end_that_was_none_are_forgotten(tmp_path):
    play = game(batch_size=64)  # 3 rounds an epoch
    for rounds in (1, 7):
        play.play(rounds, [games.Evaluation({"b": lambda game: game.rounds}, sal.Epochs(1))])
    assert play.history.column("round") == [3, 6, 7]
    (tmp_path / "samples").mkdir()
    for number in (3, 5):
        (tmp_path / "samples" / f"{number:08d}.png").touch()
    grids = games.SampleGrids(tmp_path, sal.Epochs(1), draw=lambda examples, path: None)
    grids.on_start(play)
    assert [path.name for path in (tmp_path / "samples").iterdir()] == ["00000003.png"]


def test_another_trigger_keeps_what_is_earlier(tmp_path):
    def draw(examples, path):
        path.touch()

    def names():
        return sorted(path.name for path in (tmp_path / "samples").iterdir())

    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "best.png").touch()  # is nobody's business
    for number in (2, 4, 5, 9):
        draw(None, tmp_path / "samples" / f"{number:08d}.png")
    play = game()
    play.play(5, [games.Evaluation({"b": lambda game: game.rounds}, sal.Steps(2))])
    games.SampleGrids(tmp_path, sal.Steps(3), draw=draw).on_start(play)
    assert names() == ["00000002.png", "00000004.png", "best.png"]
    play.play(7, [games.Evaluation({"b": lambda game: game.rounds}, sal.Steps(3))])
    assert play.history.column("round") == [2, 4, 6, 7]


def test_files_of_another_name_are_ignored(tmp_path):
    (tmp_path / "networks").mkdir()
    stray = tmp_path / "networks" / "generator-best.safetensors"
    stray.touch()
    play = game(batch_size=64)  # 3 rounds an epoch
    play.play(15, [games.EpochNetworks(tmp_path, keep=2)])
    assert stray.exists() and Run(tmp_path, "name").checkpoints == [1, 2, 3, 4, 5]


def test_evaluations_of_different_metrics_share_a_table(tmp_path):
    play, values = game(), iter([3.0, 1.0, 2.0, 2.0, 2.0])
    callbacks = [
        games.Evaluation({"a": lambda game: 1.0}, every=sal.Steps(1)),
        games.Evaluation({"frechet": lambda game: next(values)}, every=sal.Steps(2)),
        sal.EarlyStopping("frechet", patience=2),
        sal.Curves(tmp_path),
    ]
    play.play(100, callbacks)
    assert play.rounds == 8  # the best at 4, then two that are no better
    assert Run(tmp_path, "name").metrics() == {"a": 1, "frechet": 2}


def test_a_metric_that_no_record_of_a_game_has_is_told():
    watch = games.Evaluation({"a": lambda game: 1.0}, every=sal.Steps(1))
    play = game()
    with pytest.raises(
        ValueError, match=r"watches 'frechet', which the records lack .they hold a\)"
    ):
        play.play(9, [watch, sal.EarlyStopping("frechet")])
    assert play.rounds == 1
    play = game()
    with pytest.raises(ValueError, match=r"they hold no metrics.*a game an Evaluation with it"):
        play.play(9, [sal.EarlyStopping("frechet"), sal.ProgressBar()])
    assert play.rounds == 0


def test_the_best_network_by_a_metric_that_no_evaluation_has_is_missed_aloud(tmp_path):
    watch = games.Evaluation({"a": lambda game: 1.0}, every=sal.Steps(1))
    best = sal.Checkpoint(tmp_path / "best", best="frechet")
    with pytest.warns(UserWarning, match=r"Checkpoint watches 'frechet', which .*they hold a\)"):
        game().play(2, [watch, best])
    assert not best.path.exists()


def test_the_best_round_of_a_game_by_a_metric_is_kept(tmp_path):
    distances = {2: 3.0, 4: 1.0, 6: 2.0}
    watch = games.Evaluation({"frechet": lambda game: distances[game.rounds]}, every=sal.Steps(2))
    best = sal.Checkpoint(tmp_path / "best", best="frechet")
    game().play(6, [watch, best])
    again, plain = game(), game()
    again.resume(best.path)
    plain.play(4)
    assert again.rounds == 4
    assert np.array_equal(again.generator.parameters, plain.generator.parameters)


def test_evaluations_are_functions_of_a_game_by_name():
    with pytest.raises(TypeError, match=r"functions of the game by name, such as .*of_game"):
        games.Evaluation(len)
    for wrong in (object(), lambda: 1.0):
        with pytest.raises(TypeError, match=r"metric 'judge' must be a function of the game"):
            games.Evaluation({"judge": wrong})


def test_a_game_that_is_interrupted_before_its_first_round_has_no_dashboard(tmp_path):
    class Interrupt(sal.Callback):
        def on_start(self, run):
            signal.raise_signal(signal.SIGINT)

    play = game()
    play.play(5, [Interrupt(), games.SampleGrids(tmp_path, draw=lambda examples, path: None)])
    assert play.interrupted and play.rounds == 0
    assert not (tmp_path / "dashboard.png").exists()


def evaluations():
    """Two evaluations, of which the second returns names that only a call tells."""
    return [
        games.Evaluation({"a": lambda game: game.rounds}, sal.Steps(3)),
        games.Evaluation({"all": lambda game: {"b": game.rounds, "c": np.nan}}, sal.Steps(2)),
    ]


def columns(play):
    return play.history.column("a"), play.history.column("b")


@pytest.mark.parametrize("end", [5, 6, 8, 9])
def test_two_evaluations_both_record_the_end_and_only_that_one_is_forgotten(end, tmp_path):
    play = game()
    play.play(end, evaluations())
    third, second = list(range(3, end, 3)), list(range(2, end, 2))
    assert columns(play) == ([*third, end], [*second, end])
    play.save(tmp_path / "game")
    again = game()
    again.resume(tmp_path / "game")
    again.play(13, evaluations())
    assert columns(again) == ([3, 6, 9, 12, 13], [2, 4, 6, 8, 10, 12, 13])


def test_a_game_killed_in_a_round_of_one_evaluation_keeps_its_record(tmp_path):
    play = game()
    play.play(20, [*evaluations(), Killed(6, tmp_path / "game")])
    again = game()
    again.resume(tmp_path / "game")
    again.play(7, evaluations())
    assert columns(again) == ([3, 6, 7], [2, 4, 6, 7])
    play = game()
    play.play(20, [*evaluations(), Killed(8, tmp_path / "game")])
    again = game()
    again.resume(tmp_path / "game")
    again.play(9, evaluations())
    assert columns(again) == ([3, 6, 9], [2, 4, 6, 8, 9])


class Killed(sal.Callback):
    """Saves the game in a round, as the last checkpoint before a process is killed."""

    def __init__(self, rounds, path):
        self.rounds, self.path = rounds, path

    def on_step(self, game):
        if game.rounds == self.rounds:
            game.save(self.path)


@pytest.mark.parametrize("name", ["round", "step", "seconds", "loss"])
def test_a_metric_cannot_have_the_name_of_another_entry(name):
    play = game()
    with pytest.raises(ValueError, match=f"a metric cannot be called '{name}'"):
        play.play(2, [games.Evaluation({"all": lambda game: {"a": 1, name: 2}}, sal.Steps(1))])
    assert play.history.records == []
