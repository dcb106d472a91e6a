"""Many threads ask one network or one game, also while it learns: each gets its own answer."""

from __future__ import annotations

import copy
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import salamandre as sal
from salamandre.passes import Gate

X = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
LABELS = np.array([2, 0, 1, 2, 2])


@pytest.fixture(autouse=True)
def _switching_often():
    """Let Python change threads a hundred times more often than it does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(5e-5)
    yield
    sys.setswitchinterval(before)


SMALL = [sal.Embedding(3, 2), sal.NeuronLayer(3, sal.Tanh()), sal.NeuronLayer(2)]
LARGER = [
    sal.Embedding(3, 2),
    sal.NeuronLayer(4, sal.LeakyReLU(), noise=1),
    sal.LayerNorm(),
    sal.Dropout(0.2),
    sal.Parallel([sal.NeuronLayer(3, sal.Tanh()), sal.Skip([sal.NeuronLayer(4, sal.ELU())])]),
    sal.NeuronLayer(2),
]


def conditional(layers) -> sal.Network:
    return sal.Network(copy.deepcopy(layers), 4, sal.MeanSquaredError(), sal.Adam(0.01))


def together(*calls):
    """Run the calls at once, each in a thread of its own; return their results."""
    start = threading.Barrier(len(calls))

    def run(call):
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


@pytest.mark.parametrize("layers, asks", [(SMALL, 2000), (LARGER, 100)])
def test_eight_threads_get_answers_bit_for_bit(layers, asks):
    network = conditional(layers)
    questions = [(X[: 1 + n % 5] + n, np.roll(LABELS, n)[: 1 + n % 5], n) for n in range(8)]
    expected = [network.predict(x, labels=labels, seed=seed) for x, labels, seed in questions]
    assert len({answer[0].tobytes() for answer in expected}) == 8

    def wrong_answers(n):
        wrong = 0
        for which in (np.arange(asks) + n) % 8:
            x, labels, seed = questions[which]
            answer = network.predict(x, labels=labels, seed=seed)
            wrong += not np.array_equal(answer, expected[which])
        return wrong

    assert sum(together(*(lambda n=n: wrong_answers(n) for n in range(8)))) == 0


def answers_while(train, ask, threads=3):
    """Return what threads were answered from before the training until after it."""
    finished, asked = threading.Event(), threading.Barrier(threads + 1)

    def keep_asking(n):
        found = [ask(n, 0)]
        asked.wait()
        while not finished.is_set():
            found.append(ask(n, len(found)))
        return [*found, ask(n, len(found))]

    def train_between():
        asked.wait()
        try:
            train()
        finally:
            finished.set()

    *found, _ = together(*(lambda n=n: keep_asking(n) for n in range(threads)), train_between)
    return found


def test_who_asks_while_a_network_is_trained_gets_the_answer_between_two_steps():
    network, snapshots = conditional(LARGER), []

    def train():
        for step in range(150):
            snapshots.append(network.parameters.copy())
            network.learn(X, np.full((5, 2), step % 7), LABELS)
        snapshots.append(network.parameters.copy())

    found = answers_while(
        train, lambda n, count: network.predict(X + n, batch_size=3, labels=LABELS).tobytes()
    )
    twin = copy.deepcopy(network)
    for n, answers in enumerate(found):
        allowed = []
        for parameters in snapshots:
            twin.parameters[...] = parameters
            allowed.append(twin.predict(X + n, batch_size=3, labels=LABELS).tobytes())
        assert answers[0] == allowed[0] and answers[-1] == allowed[-1]
        assert set(answers) <= set(allowed)
        order = [allowed.index(answer) for answer in answers]
        assert order == sorted(order)  # nobody is answered by older parameters than before


def test_statistics_and_parameters_change_at_once():
    """Asked in the middle of a step, a network answers as before it."""
    asked = []

    class AsksInTheMiddle(sal.Layer):
        def build(self, input_shape):
            return input_shape

        def compute(self, x, ctx):
            return x

        def backprop(self, dy, ctx):
            with ThreadPoolExecutor(1) as pool:
                asked.append(pool.submit(network.predict, X).result())
            return dy

    layers = [sal.NeuronLayer(3), sal.BatchNorm(), AsksInTheMiddle(), sal.NeuronLayer(2)]
    network = sal.Network(layers, 4, sal.MeanSquaredError(), sal.SGD(0.1))
    before = network.predict(X)
    network.learn(X, np.zeros((5, 2)))
    assert not np.array_equal(network.predict(X), before)
    assert np.array_equal(asked[0], before)


def conditional_game() -> sal.GanGame:
    generator = sal.Network(
        [sal.Embedding(3), sal.NeuronLayer(6, sal.ReLU(), noise=1), sal.NeuronLayer(2, sal.Tanh())],
        2,
        optimizer=sal.Adam(0.01),
    )
    discriminator = sal.Network(
        [sal.Embedding(3), sal.NeuronLayer(6, sal.LeakyReLU()), sal.NeuronLayer(1)],
        2,
        optimizer=sal.Adam(0.01),
    )
    points = np.tanh(np.random.default_rng(1).normal(size=(60, 2))).astype(np.float32)
    return sal.GanGame(
        generator,
        discriminator,
        points,
        labels=np.arange(60) % 3,
        latent=sal.Gaussian(2),
        batch_size=12,
        remedies=[sal.MovingAverage(0.9)],
    )


def test_who_generates_while_a_game_is_played_gets_the_examples_of_a_round():
    game, alone, snapshots = conditional_game(), conditional_game(), []

    class Snapshots(sal.Callback):
        def on_start(self, run):
            snapshots.append(run.best_generator.parameters.copy())

        def on_step(self, run):
            snapshots.append(run.best_generator.parameters.copy())

    labels = [np.array([2, 0, 1, 1]), np.array([0, 0, 0]), np.array([1, 2])]
    found = answers_while(
        lambda: game.play(60, [Snapshots()]),
        lambda n, count: game.generate(labels=labels[n], seed=count % 4).tobytes(),
    )
    alone.play(60)
    for network, other in (
        (game.generator, alone.generator),
        (game.discriminator, alone.discriminator),
        (game.best_generator, alone.best_generator),
    ):
        assert np.array_equal(network.parameters, other.parameters)
    allowed = [{} for _ in labels]
    for parameters in snapshots:
        alone.best_generator.parameters[...] = parameters
        for n, which in enumerate(labels):
            for seed in range(4):
                example = alone.generate(labels=which, seed=seed).tobytes()
                allowed[n].setdefault(seed, set()).add(example)
    for n, answers in enumerate(found):
        assert all(answer in allowed[n][count % 4] for count, answer in enumerate(answers))
        assert answers[0] != answers[-1]


def test_who_changes_a_network_may_ask_it():
    network = sal.Network([sal.NeuronLayer(2)], 4)
    expected = network.predict(X)
    with network.changing(), network.changing():
        assert np.array_equal(network.predict(X), expected)
    with ThreadPoolExecutor(1) as pool:  # and then others may again
        assert np.array_equal(pool.submit(network.predict, X).result(timeout=20), expected)


def test_a_network_that_is_shared_twice_is_asked_once():
    """A writer between two entries by one reader would wait for it, and it for the writer."""
    shared = sal.Network([sal.NeuronLayer(3)], 4, sal.MeanSquaredError(), sal.SGD(0.01))
    outer = sal.Network([sal.Parallel([shared, shared]), sal.NeuronLayer(2)], 4)
    assert outer.owners == sorted([outer, shared], key=id)


def test_a_thread_that_reads_may_read_again_while_another_waits_to_write():
    gate, waits = Gate(), threading.Event()

    def write():
        waits.set()
        with gate:
            pass

    gate.begin_reading()
    other = threading.Thread(target=write, daemon=True)
    other.start()
    waits.wait()
    while not gate._waiting:
        pass
    again = threading.Thread(target=lambda: (gate.begin_reading(), gate.end_reading()), daemon=True)
    gate.begin_reading()  # would wait for the writer, which waits for this thread
    again.start()
    again.join(0.05)
    assert again.is_alive()  # a new reader comes after the writer
    gate.end_reading()
    gate.end_reading()
    for thread in (other, again):
        thread.join(10)
        assert not thread.is_alive()
