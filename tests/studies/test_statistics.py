"""Statistics of studies: bands, paired differences, permutation tests, Holm's correction."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from salamandre import studies
from salamandre.studies.results import Result, Row


def test_mean_band_covers_the_true_mean_as_often_as_it_says():
    random = np.random.default_rng(0)
    values = random.exponential(size=(60, 400))  # 400 experiments of 60 runs, true mean 1
    mean, low, high = studies.mean_band(values, confidence=0.9, resamples=1000)
    assert np.allclose(mean, values.mean(axis=0))
    covered = np.mean((low <= 1) & (high >= 1))
    assert 0.84 < covered < 0.94


def test_mean_band_of_equal_runs_is_their_value():
    for value, count in itertools.product((0.1, 0.5, 0.7, 0.9), range(1, 9)):
        mean, low, high = studies.mean_band(np.full((count, 3), value))
        assert np.allclose([mean, low, high], value)
        assert (low <= mean).all() and (mean <= high).all()  # as pictures need them


def rows_of(values: dict[str, list[float | None]]) -> list[Row]:
    """Return rows of an axis ``way`` with the seeds 0, 1, ...; ``None`` is a run that failed."""
    return [
        Row(
            f"{way}{seed}",
            {"way": way},
            seed,
            Result("failed") if value is None else Result("finished", {"score": value}),
        )
        for way, found in values.items()
        for seed, value in enumerate(found)
    ]


def test_a_summary_has_mean_and_standard_deviation_of_the_runs_that_finished():
    rows = rows_of({"a": [1.0, 2.0, 6.0], "b": [4.0, None, None], "c": [None]})
    a, b, c = studies.summarize(rows, "score")
    assert (a.mean, a.runs, a.lost) == (3.0, 3, 0)
    assert a.deviation == pytest.approx(np.std([1, 2, 6], ddof=1))
    assert 1 <= a.low < 3 < a.high <= 6
    assert (b.mean, b.runs, b.lost) == (4.0, 1, 2) and np.isnan([b.deviation, b.low]).all()
    assert (c.runs, c.lost) == (0, 1) and np.isnan(c.mean)


def test_differences_are_paired_by_seed():
    """The runs of a seed are alike, so that a small difference is certain."""
    random = np.random.default_rng(0)
    base = (100 * random.random(10)).tolist()
    rows = rows_of({"plain": base, "better": [value + 1 for value in base], "few": base[:1]})
    plain, better, few = studies.summarize(rows, "score", {"way": "plain"})
    assert plain.comparison is None and few.comparison is None
    assert better.comparison.pairs == 10 and better.comparison.mean == pytest.approx(1)
    assert better.comparison.low == pytest.approx(1) and better.comparison.p == 2 / 2**10


def test_the_permutation_test_counts_all_signs():
    differences = np.array([0.3, -0.1, 0.5, 0.2, -0.05, 0.4])
    means = [np.mean(differences * signs) for signs in itertools.product([1, -1], repeat=6)]
    share = np.mean(np.abs(means) >= abs(differences.mean()) - 1e-12)
    rows = rows_of({"plain": [0.0] * 6, "other": differences.tolist()})
    _, other = studies.summarize(rows, "score", {"way": "plain"})
    assert other.comparison.p == pytest.approx(share)


def test_holms_correction_is_that_of_the_paper():
    """Worked by hand: 3 · 0.01, then the largest so far of 2 · 0.03 and 1 · 0.04."""
    assert studies.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert studies.holm([0.9, 0.8]) == [1, 1] and studies.holm([]) == []


def test_a_baseline_must_be_one_point():
    rows = rows_of({"a": [1.0, 2.0], "b": [1.0, 2.0]})
    for baseline, count in (({"way": "z"}, "0 points"), ({}, "2 points")):
        with pytest.raises(ValueError, match=rf"{count} of the study have .* \(axes: way\)"):
            studies.summarize(rows, "score", baseline)


def test_a_baseline_may_spell_its_number_in_another_way(tmp_path):
    def double(rate: float, seed: int) -> dict[str, float]:
        return {"loss": 2 * rate + seed}

    plan = {"axes": {"rate": [0.001, 0.1, 1000000.0, 1e-5]}, "seeds": 2}
    rows = studies.Study(plan, tmp_path, base=double).run(1)
    for text, rate in (("1e-3", 0.001), (".10", 0.1), ("1e6", 1e6), ("1e-5", 1e-5), (0.1, 0.1)):
        found = studies.summarize(rows, "loss", {"rate": text})
        (base,) = [one for one in found if one.comparison is None]
        assert base.point == {"rate": rate}
