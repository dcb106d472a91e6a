"""Plans: which runs a study has, and what is refused before the first one."""

from __future__ import annotations

import sys
from functools import partial

import numpy as np
import pytest
from scipy.stats import qmc
from small_study import BASE, learn

from salamandre import studies
from salamandre.studies.bases import find_base


def plan(**given):
    return studies.Plan("small", **given)


def runs(given):
    return given.runs(given.sample(), BASE)


def test_a_grid_has_all_combinations_with_all_seeds():
    found = runs(plan(axes={"rate": [1, 2], "kind": ["plain", "better"]}, seeds=[0, 7]))
    values = [(run.options["rate"], run.options["kind"], run.options["seed"]) for run in found]
    kinds = ("plain", "better")
    assert values == [(rate, kind, seed) for rate in (1, 2) for kind in kinds for seed in (0, 7)]
    assert len({run.key for run in found}) == 8
    assert found[0].label == "rate 1, kind plain, seed 0"


def test_a_range_is_linear_or_logarithmic():
    assert studies.Range(0.0, 1.0, 5).at(0.25) == 0.25
    assert studies.Range(0.9, 0.9999999).at(1.0) == 0.9999999  # rounded, it would be beyond
    assert studies.Range(0.12345649, 1.0).at(0.0) == 0.12345649
    grid = plan(axes={"rate": {"low": 0.01, "high": 100.0, "count": 5, "log": True}}).ways[0].values
    assert grid == [0.01, 0.1, 1, 10, 100]
    whole = plan(axes={"rate": {"low": 4, "high": 64, "count": 5, "log": True}}).ways[0].values
    assert whole == [4, 8, 16, 32, 64] and all(type(value) is int for value in whole)


def test_whole_numbers_are_drawn_equally_often():
    for low, high in ((1, 3), (-2, 1)):
        (way,) = plan(axes={"rate": {"low": low, "high": high}}, sampler="random", points=1).ways
        drawn = [way.at((step + 0.5) / 1200) for step in range(1200)]
        counts = [drawn.count(number) for number in range(low, high + 1)]
        assert set(counts) == {1200 // (high - low + 1)}
    given = {"low": 1, "high": 7, "log": True}
    (way,) = plan(axes={"rate": given}, sampler="random", points=1).ways
    drawn = [way.at((step + 0.5) / 1200) for step in range(1200)]
    assert drawn.count(1) == drawn.count(2) + drawn.count(3) == 400  # a third of three doublings
    assert way.at(0.0) == 1 and way.at(1.0) == 7


def test_variants_set_several_options():
    variants = {"low": {"rate": 1}, "high": {"rate": 9, "kind": "better"}}
    found = runs(plan(axes={"variant": variants}, options={"wait": 0.5}))
    assert [run.point for run in found] == [{"variant": "low"}, {"variant": "high"}]
    assert [run.options["kind"] for run in found] == ["plain", "better"]
    assert all(run.options["wait"] == 0.5 for run in found)


def test_a_key_depends_on_the_options_that_are_not_default():
    """A new option with a default, and an axis through what was fixed, leave runs what they are."""
    (one,) = runs(plan(axes={"rate": [2]}))
    again = runs(plan(axes={"rate": [2.0], "kind": ["plain", "better"]}, options={"wait": 0}))
    assert [run.key == one.key for run in again] == [True, False]


def test_random_and_sobol_points_of_more_begin_with_those_of_fewer():
    axes = {"rate": {"low": 1.0, "high": 3.0}, "kind": ["plain", "better"]}
    for sampler in ("random", "sobol"):
        few, many = (plan(axes=axes, sampler=sampler, points=n).sample() for n in (5, 16))
        assert many[:5] == few
        rates = np.array([point["rate"] for point in many])
        assert rates.min() >= 1 and rates.max() <= 3 and len(set(rates)) == 16
        assert {point["kind"] for point in many} == {"plain", "better"}
    shares = np.array([[(p["rate"] - 1) / 2, p["kind"] == "better"] for p in many])
    assert qmc.discrepancy(shares[:, :1]) < 0.01  # of 16 random points about 0.02
    assert shares[:, 1].sum() == 8


REFUSED = {
    "axes": ({"axes": {"rte": [1]}}, "unknown axis 'rte', did you mean 'rate'?"),
    "options": ({"options": {"kid": 1}}, "unknown option of small 'kid', did you mean 'kind'?"),
    "variants": ({"axes": {"v": {"a": {"rat": 1}}}}, "unknown option of small 'rat'"),
    "type": ({"axes": {"rate": [1, "x"]}}, r"run 2 \(rate x, seed 0\): rate 'x': expected `float`"),
    "bound": ({"axes": {"rate": [1, -1]}}, r"run 2 \(rate -1, seed 0\): rate -1: expected `float`"),
    "check": ({"axes": {"rate": [1, 12]}, "seeds": 3}, r"run 4 \(rate 12, seed 0\): rate must not"),
    "seed": ({"axes": {"seed": [1]}}, "the seed is no axis or option: give seeds = 5"),
    "no list": ({"axes": {"rate": 3}}, "the axis rate must be a list of values or a range, got 3"),
    "empty": ({"axes": {"rate": []}}, "the axis rate must be a list of values or a range"),
    "range": ({"axes": {"rate": {"low": 1}}}, "the axis rate must be a list, or a range such as"),
    "count": ({"axes": {"rate": {"low": 1, "high": 2}}}, "must say how many values: count = 5"),
    "order": ({"axes": {"rate": {"low": 2, "high": 1}}}, "high of a range must be"),
    "log": ({"axes": {"rate": {"low": 0, "high": 1, "log": True}}}, "low of a logarithmic range"),
    "seeds": ({"seeds": [1, 1]}, "seeds must be one or more different numbers"),
    "none": ({"seeds": 0}, "seeds must be one or more different numbers"),
    "points": ({"sampler": "random"}, "the sampler random needs a number of points"),
    "grid": ({"points": 3}, "the sampler grid takes no points"),
    "same": (
        {"axes": {"rate": [1, 2], "v": {"plain": {}, "same": {"kind": "plain"}}}},
        r"the run rate 1, v same, seed 0 would be the run rate 1, v plain, seed 0",
    ),
    "optuna": ({"sampler": "optuna", "points": 3}, "the sampler optuna needs metrics"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_does_not_fit_is_refused_with_its_run(case):
    given, message = REFUSED[case]
    with pytest.raises(ValueError, match=message):
        runs(plan(**given))


def test_a_file_says_what_a_plan_is(tmp_path):
    path = tmp_path / "study.toml"
    path.write_text('base = "small"\nseeds = 2\n[axes]\nrate = {low = 1, high = 3, count = 3}\n')
    read = studies.read_plan(path)
    assert read == plan(seeds=2, axes={"rate": {"low": 1, "high": 3, "count": 3}})
    for text, message in (
        ("bas = 1", "unknown key 'bas', did you mean 'base'?"),
        ('base = "small"\nseeds = "x"', r"seeds: Expected `int \| array`, got `str`"),
        ("base = [", "is no TOML file"),
        ("seeds = 1", "missing required field `base`"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=f"study.toml.*{message}"):
            studies.read_plan(path)


def test_bases_are_found_by_name_module_and_file(tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "own_base.py").write_text("def learn(seed, rate: float = 1.0): return {}\n")
    for name, place in (("own_base.py:learn", tmp_path), (f"{tmp_path}/own_base.py:learn", "")):
        found = find_base(name, str(place))
        assert found.names == ("seed", "rate") and found.seeded
    assert find_base("small_study:BASE") is BASE and find_base(learn).names == BASE.names
    for name, message in (
        ("clasifier", "unknown base 'clasifier', did you mean 'classifier'?"),
        ("nowhere.py:learn", "there is no file .*nowhere.py"),
        ("no_such_module:learn", "cannot be imported: No module named 'no_such_module'"),
        ("own_base.py:lern", "own_base.py has no lern"),
        ("small_study:Any", "must be a function"),
    ):
        with pytest.raises(ValueError, match=message):
            find_base(name, str(tmp_path))
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "own_base.py").write_text("def learn(slope: int = 2): return {}\n")
    assert find_base("own_base.py:learn", str(tmp_path / "other")).names == ("slope",)
    (tmp_path / "statistics.py").write_text("def learn(seed): return {}\n")  # as one of Python's
    assert find_base("statistics.py:learn", str(tmp_path)).names == ("seed",)
    (tmp_path / "broken.py").write_text("import math\nmath.sine\n")
    with pytest.raises(AttributeError, match="has no attribute 'sine'"):
        find_base("broken.py:learn", str(tmp_path))
    with pytest.raises(ValueError, match=r"has the parameter \*\*options"):
        find_base(lambda **options: {})


def test_a_base_may_be_a_partial_function_or_an_object():
    class Learner:
        def __call__(self, seed: int, rate: float = 1.0) -> dict[str, float]:
            return {}

    for function, name in ((partial(learn, rate=2.0), "learn"), (Learner(), "Learner")):
        base = find_base(function)
        assert base.name == name and base.seeded
        with pytest.raises(ValueError, match="rate 'x': expected `float`"):
            base.converted({"seed": 0, "rate": "x"})
    assert find_base(partial(learn, rate=2.0)).converted({"seed": 0})["rate"] == 2.0
