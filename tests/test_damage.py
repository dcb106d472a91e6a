"""A small sample of what ``damage.py`` does at length."""

from __future__ import annotations

import damage
import pytest
import saved_forms


@pytest.mark.parametrize("name", saved_forms.forms())
def test_a_damaged_file_is_refused_by_name_or_harmless(name):
    count = 15 if name in saved_forms.SAMPLES else 4  # which are read faster
    results = list(damage.examined(name, seed=1, first=0, count=count))
    assert not [why for verdict, why in results if verdict == "wrong"]
    assert len(results) == count
    assert count < 15 or "refused" in dict(results)
