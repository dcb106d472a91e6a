"""Parts of a user's own that are written slightly wrong, and what is no part: one sentence each."""

from __future__ import annotations

import numpy as np
import pytest
from test_gradient_checking import Scale, X

import salamandre as sal
from salamandre import games, parts, schedules


class Square(sal.Activation):
    def function(self, x, out, ctx):
        return ctx.xp.multiply(x, x, out=out)

    def gradient(self, dy, x, y, out, ctx):
        return ctx.xp.multiply(dy, 2 * x, out=out)


class Squared(sal.Loss):
    def compute(self, y, target, xp):
        return ((y - target) ** 2).mean(), 2 * (y - target) / y.size


def derived(base, **methods):
    """Return an object of a class that is derived from ``base``."""
    return type("WrittenWrong", (base,), methods)


def learn(*layers, loss=None, optimizer=None):
    network = sal.Network(layers, 4, loss or Squared(), optimizer or sal.SGD(0.1))
    return network.learn(X, X[::-1])


def init(self):
    self.k = 1


def no_super():
    for base in (Scale, sal.BatchNorm, sal.Sequential, sal.Dropout, Square, sal.ReLU):
        yield lambda base=base: learn(derived(base, __init__=init)()), "Layer"
    yield lambda: learn(sal.NeuronLayer(4, derived(sal.ReLU, __init__=init)())), "Activation"
    yield lambda: learn(Scale(), optimizer=derived(sal.Adam, __init__=init)()), "Optimizer"


@pytest.mark.parametrize("call, base", list(no_super()))
def test_a_constructor_that_does_not_call_that_of_its_base(call, base):
    with pytest.raises(
        TypeError, match=r"WrittenWrong.__init__ must begin with super\(\).__init__"
    ) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_losses_need_no_constructor_of_their_base():
    for loss in (sal.CrossEntropy, sal.BinaryCrossEntropy):
        value, _ = derived(loss, __init__=init)().compute(np.full((1, 2), 0.5), np.eye(2)[:1], np)
        assert value == pytest.approx(np.log(2))


def wrong_methods():
    def takes(*names):
        namespace = {}
        exec(f"def method({', '.join(names)}): return None", namespace)
        return namespace["method"]

    bare = takes("self", "x")
    yield lambda: learn(derived(Scale, compute=bare)()), r"compute\(x, ctx\), got compute\(x\)"
    yield lambda: learn(derived(Scale, backprop=bare)()), r"backprop\(dy, ctx\), got backprop\(x\)"
    yield lambda: learn(derived(Scale, build=takes("self"))()), r"build\(input_shape\), got build"
    yield lambda: learn(derived(sal.Layer)()), r"must have a method build\(input_shape\)"
    yield lambda: learn(derived(sal.Activation)()), r"method function\(x, out, ctx\), as every Act"
    yield lambda: learn(derived(Square, gradient=bare)()), r"gradient\(dy, x, y, out, ctx\), got"
    no_y = derived(Square, function=takes("self", "x", "out", "ctx"))
    yield lambda: learn(no_y()), "WrittenWrong.function must return y, got None"
    no_dx = derived(Square, gradient=takes("self", "dy", "x", "y", "out", "ctx"))
    yield lambda: learn(Scale(), no_dx()), "WrittenWrong.gradient must return dE/dx, got None"
    yield lambda: learn(Scale(), loss=derived(sal.Loss)()), r"compute\(y, target, xp\), as every L"
    yield lambda: learn(Scale(), loss=derived(Squared, compute=bare)()), r"got compute\(x\)"
    yield lambda: sal.SGD(derived(schedules.Schedule)()), r"a method __call__\(step\)"
    yield lambda: sal.SGD(derived(schedules.Schedule, __call__=takes("self"))()), r"__call__\(step"
    drawing = derived(sal.initializers.Initializer, draw=bare)()
    yield lambda: learn(sal.NeuronLayer(4, initializer=drawing)), r"draw\(random, shape\), got"

    def optimizer(rule, **more):
        return lambda: learn(Scale(), optimizer=derived(sal.Optimizer, rule=rule, **more)(0.1))

    yield optimizer(takes("p", "g", "rate")), r"WrittenWrong.rule must be a @staticmethod"
    yield optimizer(staticmethod(takes("p", "g", "rate"))), "and return p and the slots as a tuple"
    yield optimizer(staticmethod(lambda p, g, rate: (p,)), slots=("v",)), r"the slots \('v',\)"
    yield optimizer(staticmethod(lambda p, g, v, rate: (p, v)), slots="v1"), "the slots 'v1'"
    yield lambda: learn(Scale(), optimizer=derived(sal.Optimizer)(0.1)), "must have a method rule"


@pytest.mark.parametrize("call, message", list(wrong_methods()))
def test_methods_that_are_missing_or_take_other_arguments(call, message):
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_a_layer_without_backprop_computes_but_does_not_learn():
    layer = derived(sal.Layer, build=lambda self, s: s, compute=lambda self, x, ctx: 2 * x)
    assert np.array_equal(sal.Network([layer()], 4, dtype="float64").predict(X), 2 * X)
    with pytest.raises(
        TypeError, match=r"WrittenWrong has no backprop\(dy, ctx\), which learning needs"
    ):
        learn(Scale(), layer())


def no_parts():
    yield lambda: learn(sal.NeuronLayer), r"a class: make an object of it, NeuronLayer\(outputs\)"
    yield lambda: learn("neuron_layer"), r"give an object, NeuronLayer\(outputs\)"
    yield (
        lambda: learn(lambda x: x),
        r"derived from Layer with build\(input_shape\) and compute\(x, ctx",
    )
    yield lambda: sal.Network(Scale(), 4), r"must be a list, got Scale\(\): write \[Scale\(\)\]"
    yield lambda: sal.Network(None, 4), "must be a list, got None"
    yield lambda: sal.NeuronLayer(3, max), r"Activation with function\(x, out, ctx\) and gradie"
    yield lambda: sal.NeuronLayer(3, np.tanh), r"give one of this package, Tanh\(\)$"
    yield lambda: sal.NeuronLayer(3, "leaky"), "did you mean 'LeakyReLU'"
    yield lambda: sal.NeuronLayer(3, "nothing of the sort"), "give an object"
    yield lambda: learn(Scale(), optimizer=sal.Adam), r"a class: make an object of it, Adam\(\)"
    yield lambda: learn(Scale(), optimizer="adma"), "did you mean 'Adam'"
    yield lambda: learn(Scale(), optimizer="lookahead"), r"give an object, Lookahead\(optimizer\)"
    yield lambda: learn(Scale(), loss=sal.CrossEntropy), r"make an object of it, CrossEntropy\(\)"
    yield lambda: learn(Scale(), loss="mean squared eror"), "did you mean 'MeanSquaredError'"
    yield lambda: learn(Scale(), loss=lambda y, t: 0), r"derived from Loss with compute\(y, target"
    yield lambda: sal.Adam(lambda step: 0.1), r"derived from Schedule with __call__\(step\)"
    yield lambda: sal.Adam(schedules.CosineDecay), r"make an object of it, CosineDecay\(rate, steps"


@pytest.mark.parametrize("call, message", list(no_parts()))
def test_classes_names_and_functions_in_the_place_of_an_object(call, message):
    with pytest.raises(TypeError, match=message) as caught:
        call()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "found, message",
    [
        (lambda y: (y * y).mean(), "must return two things, the loss and its gradient"),
        (lambda y: None, "got nothing"),
        (lambda y: ((y * y).mean(), y.mean(axis=0)), r"shape \(5, 4\), got shapes \(\) and \(4,\)"),
        (lambda y: ((y * y).mean(axis=1), y), r"got shapes \(5,\) and \(5, 4\)"),
        (lambda y: ((y * y).mean(), y.tolist()), "and a list"),
    ],
)
def test_a_loss_that_does_not_return_a_mean_and_its_gradient(found, message):
    loss = derived(sal.Loss, compute=lambda self, y, target, xp: found(y))()
    with pytest.raises(TypeError, match=message):
        learn(Scale(), loss=loss)
    with pytest.raises(TypeError, match=message):
        sal.gradient_check(loss, X, target=X)


def test_results_in_a_list_are_as_good_as_in_a_tuple():
    loss = derived(Squared, compute=lambda self, *a: [*Squared.compute(self, *a)])()
    assert learn(sal.NeuronLayer(4), loss=loss) == learn(sal.NeuronLayer(4))
    objective = derived(
        games.NonSaturating, generator=lambda self, s, xp: [-s.mean(), -xp.ones_like(s) / s.size]
    )
    found = objective().generator(np.ones((2, 1)), np)
    assert objective().checked("generator", found, [np.ones((2, 1))]) == found


def test_a_rule_may_need_arrays():
    def rule(p, g, rate):
        return (np.subtract(p, rate * g, out=p),)

    sal.Network([Scale()], 4, Squared(), derived(sal.Optimizer, rule=staticmethod(rule))(0.1))


def test_a_compiled_function_may_not_tell_its_arguments():
    assert parts.takes(max, 2)


def test_a_gradient_of_another_precision_is_that_of_the_network():
    def compute(self, y, target, xp):
        value, dy = Squared.compute(self, y, target, xp)
        return value, dy * np.float64(1)

    layers = sal.NeuronLayer(4, sal.Tanh()), sal.NeuronLayer(4)
    assert learn(*layers, loss=derived(sal.Loss, compute=compute)()) > 0


@pytest.mark.parametrize("rate", [None, -1.0, float("nan"), float("inf"), "0.1"])
def test_a_schedule_that_gives_no_rate(rate):
    schedule = derived(schedules.Schedule, __call__=lambda self, step: rate)()
    with pytest.raises(
        ValueError, match=r"WrittenWrong\(\) must give a finite learning rate .* for step 0"
    ):
        learn(Scale(), optimizer=sal.SGD(schedule))


def test_a_rate_that_overflows_is_no_rate():
    optimizer = sal.SGD(schedules.StepDecay(0.1, 1, 10.0))
    optimizer.steps = 400
    with pytest.raises(
        ValueError, match=r"StepDecay.* finite learning rate .* got inf for step 400"
    ):
        optimizer.learning_rate  # noqa: B018


def test_configurations_that_lack_an_argument():
    def init(self, k):
        sal.ReLU.__init__(self)

    lacking = derived(sal.ReLU, __init__=init, config=lambda self: {})
    with pytest.raises(
        TypeError, match=r"WrittenWrong.config\(\) must return .* got {}: missing .* 'k'"
    ):
        sal.NeuronLayer(4, lacking(3))
    network = sal.Network([lacking(3)], 4)
    with pytest.raises(TypeError, match=r"WrittenWrong.config\(\) must return"):
        network.save("nowhere.safetensors")


def test_an_initializer_of_another_shape():
    drawing = derived(sal.initializers.Initializer, draw=lambda self, random, shape: np.ones(4))()
    with pytest.raises(
        ValueError, match=r"WrittenWrong\(\) must draw an array of shape \(3, 4\) for weights"
    ):
        sal.Network([sal.NeuronLayer(3, initializer=drawing)], 4)


@pytest.mark.parametrize(
    "base, methods, message",
    [
        (games.Objective, {}, r"must have a method loss\(scores, target, xp\)"),
        (games.NonSaturating, {"generator": lambda self, s: s}, r"generator\(scores, xp\), got"),
        (
            games.NonSaturating,
            {"generator": lambda self, s, xp: s.mean()},
            "generator must return a",
        ),
        (
            games.NonSaturating,
            {"discriminator": lambda *a: (0, 1)},
            "discriminator must return a lo",
        ),
        (games.Lipschitz, {"step": lambda self, rate: None}, r"step\(\), got step\(rate\)"),
        (sal.Remedy, {"show": lambda self, x: x}, r"show\(x, random\), got show\(x\)"),
        (sal.Gaussian, {"draw": lambda self, count: 0}, r"draw\(random, count, dtype\), got"),
    ],
)
def test_parts_of_games(base, methods, message):
    part = derived(base, **methods)
    options = {"latent": sal.Gaussian(3)}
    if base is sal.Gaussian:
        options = {"latent": part(3)}
    elif base is sal.Remedy:
        options["remedies"] = [part()]
    else:
        options["lipschitz" if base is games.Lipschitz else "objective"] = part()
    generator = sal.Network([sal.NeuronLayer(4, sal.Tanh())], 3, optimizer=sal.Adam())
    discriminator = sal.Network([sal.NeuronLayer(1)], 4, optimizer=sal.Adam())
    with pytest.raises(TypeError, match=message):
        sal.GanGame(generator, discriminator, np.zeros((8, 4)), batch_size=4, **options).play(1)


def test_arguments_that_are_arrays_or_ranges_are_saved(tmp_path):
    layers = [sal.NeuronLayer(np.array(12)), sal.Reshape(np.array([3, 2, 2])), sal.Flatten()]
    network = sal.Network([*layers, sal.Reshape(range(3, 5))], 4, None, sal.SGD(np.array(0.1)))
    network.save(tmp_path / "net.safetensors")
    loaded = sal.Network.load(tmp_path / "net.safetensors")
    x = np.ones((2, 4), np.float32)
    assert np.array_equal(loaded.predict(x), network.predict(x))
    assert loaded.optimizer.learning_rate == 0.1
