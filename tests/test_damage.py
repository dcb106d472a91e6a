"""A small sample of what ``damage.py`` does at length."""

from __future__ import annotations

import damage
import pytest
import saved_forms


@pytest.mark.parametrize("name", [n for n in saved_forms.forms() if n not in saved_forms.SAMPLES])
def test_a_damaged_file_is_refused_by_name_or_harmless(name):
    results = list(damage.examined(name, seed=1, first=0, count=4))
    assert not [why for verdict, why in results if verdict == "wrong"]
    assert len(results) == 4
