"""What containers check of the layers of a user's own that they are given."""

from __future__ import annotations

import numpy as np
import pytest

import salamandre as sal

X = np.random.default_rng(7).normal(size=(5, 4))


class Identical(sal.Layer):
    """y = x; the layers below change one thing of it."""

    def build(self, input_shape):
        return input_shape

    def compute(self, x, ctx):
        return x

    def backprop(self, dy, ctx):
        return dy


class Holding(Identical):
    """y = x + f(x), f a layer that it holds."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def build(self, input_shape):
        return self.inner.build(input_shape)

    def compute(self, x, ctx):
        return x + self.inner.compute(x, ctx.parts[0])

    def backprop(self, dy, ctx):
        return dy + self.inner.backprop(dy, ctx.parts[0])


class Telling(Holding):
    def __init__(self, inner):
        super().__init__(inner)
        self.children = (inner,)


class Residual(sal.Sequential):
    """y = x + f(x), as one writes it without knowing of Skip."""

    def compute(self, x, ctx):
        return x + super().compute(x, ctx)

    def backprop(self, dy, ctx):
        return dy + super().backprop(dy, ctx)


def learned(layers, loss=None, target=None, **options):
    """Return what three steps make of a network, from the same seed each time."""
    options = {"dtype": "float64", "seed": 3, **options}
    network = sal.Network(layers, 4, loss or sal.MeanSquaredError(), sal.SGD(0.1), **options)
    losses = [network.learn(X, X[::-1] if target is None else target) for _ in range(3)]
    return np.array([float(loss) for loss in losses])


@pytest.mark.parametrize("keep", [lambda f: f, lambda f: [f], lambda f: {"f": f}])
def test_layers_that_are_held_but_not_among_the_children(keep):
    class Forgetting(Identical):
        def __init__(self):
            super().__init__()
            self.kept = keep(sal.NeuronLayer(4))

    inner = sal.NeuronLayer(4)
    for layers in ([Forgetting()], [inner, sal.Sequential([Forgetting()])]):
        with pytest.raises(
            ValueError, match=r"'kept' holds NeuronLayer.*among its children"
        ) as caught:
            sal.Network(layers, 4)
        assert "\n" not in str(caught.value)
    assert not inner.built


def test_what_may_be_held_beside_the_children():
    other = sal.Network([sal.NeuronLayer(4)], 4)
    for held in (sal.Tanh(), other, other.layers[0]):  # nothing to learn, or learned elsewhere
        layer = Identical()
        layer.held = held
        sal.Network([layer], 4)


def test_children_that_are_no_layers():
    layer = Identical()
    layer.children = sal.NeuronLayer(4)
    with pytest.raises(
        TypeError, match=r"Identical\.children must be a list of layers, got NeuronLayer"
    ):
        sal.Network([layer], 4)


@pytest.mark.parametrize("block", [Telling, Residual])
@pytest.mark.parametrize("place", [0, 1])
def test_residuals_of_a_users_own_learn_as_skips_do(block, place, backend):
    def chain(block):
        layers = [sal.NeuronLayer(4, sal.Tanh()), sal.NeuronLayer(4)]
        inner = sal.Sequential([sal.NeuronLayer(4, sal.Tanh()), sal.NeuronLayer(4)])
        layers.insert(place, block(inner if block is Telling else [inner]))
        return layers

    def skip(layers):
        return sal.Skip(layers, join="add")

    ours, skips = learned(chain(block), backend=backend), learned(chain(skip), backend=backend)
    assert np.allclose(ours, skips, rtol=1e-12)
    assert sal.gradient_check(chain(block), X, backend=backend)


def test_a_last_layer_that_changes_what_its_activation_gives():
    """The loss of logits must not pass over a compute of a user's own."""

    class Doubled(sal.NeuronLayer):
        def compute(self, x, ctx):
            return 0.5 * super().compute(x, ctx)

        def backprop(self, dy, ctx):
            return super().backprop(0.5 * dy, ctx)

    class Halving(Identical):
        def compute(self, x, ctx):
            return 0.5 * x

        def backprop(self, dy, ctx):
            return 0.5 * dy

    def losses(*layers):
        return learned(layers, sal.CrossEntropy(), np.array([0, 1, 2, 2, 1]))

    two = losses(sal.NeuronLayer(3, sal.Softmax()), Halving())
    assert np.allclose(losses(Doubled(3, sal.Softmax())), two, rtol=1e-12)


def test_a_convolution_rectifies_as_its_activation_does(backend):
    class Shifted(sal.ReLU):
        def function(self, x, out, ctx):
            return ctx.xp.maximum(x - 0.1, 0, out=out)

        def gradient(self, dy, x, y, out, ctx):
            return ctx.xp.multiply(dy, (y > 0) * 1.0, out=out)

    x = np.random.default_rng(0).normal(size=(2, 1, 5, 5))
    he = sal.initializers.He()
    layers = [sal.ConvolutionalLayer(2, 3, activation=Shifted())]
    assert sal.gradient_check(layers, x, backend=backend)
    network = sal.Network(layers, (1, 5, 5), backend=backend, dtype="float64")
    plain = sal.Network(
        [sal.ConvolutionalLayer(2, 3, initializer=he)], (1, 5, 5), backend=backend, dtype="float64"
    )
    z = plain.backend.to_numpy(plain.predict(x))
    assert np.allclose(network.backend.to_numpy(network.predict(x)), np.maximum(z - 0.1, 0))


WRONG = [
    ({"build": lambda self, s: None}, r"build must return the shape of one output.*got None"),
    ({"build": lambda self, s: 4}, r"build must return the shape of one output.*got 4"),
    ({"build": lambda self, s: (4.0,)}, "number of the shape that its build returns .* got 4.0"),
    (
        {"build": lambda self, s: (3,)},
        r"compute must return y.*\(N, 3\), got float32 of shape \(5, 4",
    ),
    (
        {"compute": lambda self, x, ctx: None},
        r"OneThingWrong.compute must return y.*\(N, 4\), got None",
    ),
    (
        {"compute": lambda self, x, ctx: x.tolist()},
        r"OneThingWrong.compute must return y.*, got a list",
    ),
    (
        {"backprop": lambda self, dy, ctx: None},
        r"OneThingWrong.backprop must return dE/dx.*got None",
    ),
    (
        {"backprop": lambda self, dy, ctx: dy[:, 1:]},
        r"dE/dx.*\(N, 4\), got float32 of shape \(5, 3",
    ),
    ({"compute": lambda self, x, ctx: x * np.float64(2)}, "float32 .*, got float64"),
]


@pytest.mark.parametrize("methods, message", WRONG)
def test_what_a_method_returns_is_said_where_it_does_not_fit(methods, message):
    def layer():
        return type("OneThingWrong", (Identical,), methods)()

    chains = [[sal.NeuronLayer(4), layer(), sal.NeuronLayer(4)]]
    chains.append([sal.Sequential([sal.NeuronLayer(4), layer(), sal.NeuronLayer(4)])])
    for layers in chains:
        with pytest.raises((TypeError, ValueError), match=message) as caught:
            learned(layers, dtype="float32")
        assert "layer 1" in str(caught.value) and "\n" not in str(caught.value)


def test_the_first_and_the_last_layer_too():
    with pytest.raises(
        TypeError, match=r"layer 1: OneThingWrong.compute must return y.*\(N, 4\), got None"
    ):
        learned([sal.NeuronLayer(4), type("OneThingWrong", (Identical,), WRONG[4][0])()])
    with pytest.raises(TypeError, match=r"expected 5 outputs, got an array of shape \(4, 4\)"):
        learned([type("OneThingWrong", (Identical,), {"compute": lambda self, x, ctx: x[1:]})()])
    network = sal.Network([type("OneThingWrong", (Identical,), WRONG[6][0])()], 4)
    with pytest.raises(
        TypeError, match=r"layer 0: OneThingWrong.backprop must return dE/dx.*got None"
    ):
        network.backprop(network.compute(X))


def test_names_and_shapes_that_cannot_be_declared():
    def declaring(*arguments, times=1):
        def build(self, input_shape):
            for _ in range(times):
                self.declare(*arguments, sal.initializers.Zeros())
            return input_shape

        layer = type("OneThingWrong", (Identical,), {"build": build})()
        layer.scale, layer.free = 3, None
        return sal.Network([layer], 4)

    with pytest.raises(ValueError, match="the shape of OneThingWrong's w must be a tuple, got 4"):
        declaring("w", 4)
    with pytest.raises(ValueError, match=r"number of the shape of OneThingWrong's w .* got 4.0"):
        declaring("w", (4.0,))
    with pytest.raises(
        ValueError, match="OneThingWrong cannot have an array 'w': it has an attribute of"
    ):
        declaring("w", (4,), times=2)
    with pytest.raises(ValueError, match="OneThingWrong cannot have an array 'scale'"):
        declaring("scale", (4,))
    assert declaring("free", (4,)).named_parameters().keys() == {"0.free"}


def test_a_layer_that_stands_twice():
    layer = sal.NeuronLayer(4)
    with pytest.raises(ValueError, match="or stands twice in this one: make a new one for each"):
        sal.Network([layer, layer], 4)
    assert sal.Network([layer], 4)  # it was given back


def test_layers_of_a_refused_network_are_given_back_whatever_went_wrong():
    layer = sal.NeuronLayer(4)
    failing = type("OneThingWrong", (Identical,), {"build": lambda self, s: 1 / 0})()
    with pytest.raises(ZeroDivisionError):
        sal.Network([layer, failing], 4)
    assert not layer.built and not failing.built
    assert sal.Network([layer], 4)


@pytest.mark.parametrize("outputs", [2**62, 10**25])
def test_more_parameters_than_memory_has(outputs):
    with pytest.raises(
        ValueError, match=r"of 4e\+\d+ parameters|of [\d.e+]+ parameters does not fit"
    ):
        sal.Network([sal.NeuronLayer(outputs)], 4)
