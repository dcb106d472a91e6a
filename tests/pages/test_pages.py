"""``salamandre page``: what is written, and what a real browser shows of it."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from browser import NPM, chromium, package, violations
from command import call, error_of, only, picture

import salamandre as sal

pytest.importorskip("onnx", reason="needs the extra onnx")

from salamandre.pages import find_runtime, write_page


def small_page(folder, classes=("a", "B"), **options):
    layers = [sal.Embedding(len(classes))] if classes else []
    network = sal.Network([*layers, sal.NeuronLayer(12, sal.Tanh())], 3)
    return write_page(network, folder, (1, 3, 4), classes, **options)


def parts(path):
    """Return the JSON of a page."""
    found = re.findall(
        r'<script id="(\w+)" type="application/json">(.*?)</script>', path.read_text()
    )
    return {name: json.loads(text) for name, text in found}


def test_a_page_has_its_network_hands_and_a_runtime_of_one_version(tmp_path):
    path = small_page(tmp_path / "page", title="A <b> & c")
    text, found = path.read_text(), parts(path)
    assert "<title>A &lt;b&gt; &amp; c</title>" in text and "{{" not in text
    assert re.search(r'src="https://cdn.jsdelivr.net/npm/onnxruntime-web@\d+\.\d+\.\d+/dist/', text)
    assert 'integrity="sha384-' in text
    assert [len(hand) for hand in found["page"]["hands"]] == [24 * 3] * 16
    assert path.read_bytes() == small_page(tmp_path / "again", title="A <b> & c").read_bytes()


def test_names_of_classes_cannot_end_the_script(tmp_path):
    names = ("</script><script>alert(1)</script>", "{{title}}")
    path = small_page(tmp_path, names)
    assert "alert(1)</script>" not in path.read_text()
    assert tuple(parts(path)["page"]["classes"]) == names


def test_a_film_has_at_most_forty_pictures_the_last_among_them(tmp_path):
    picture = tmp_path / "p.png"
    picture.write_bytes(b"png")
    path = small_page(tmp_path / "page", film={10 * n: picture for n in range(100)})
    film = parts(path)["page"]["film"]
    assert len(film) == 40 and (film[0][0], film[-1][0]) == (0, 990)
    assert all((path.parent / name).read_bytes() == b"png" for _, name in film)


def test_what_no_page_can_draw_is_refused_and_nothing_written(tmp_path):
    with pytest.raises(ValueError, match="images of 1 or 3 channels"):
        write_page(sal.Network([sal.NeuronLayer(8)], 3), tmp_path / "page", (2, 2, 2))
    network = sal.Network([sal.NeuronLayer(8)], 3)
    with pytest.raises(ValueError, match=r"outputs of shape \(8,\), .* of shape \(1, 3, 3\)"):
        write_page(network, tmp_path / "page", (1, 3, 3))
    with pytest.raises(ValueError, match="each of the generator's 0 classes, got 2"):
        write_page(network, tmp_path / "page", (1, 2, 4), "ab")
    network = sal.Network([sal.Embedding(2), sal.NeuronLayer(8)], 3)
    for names in ((), "abc"):
        with pytest.raises(ValueError, match=f"generator's 2 classes, got {len(names)}"):
            write_page(network, tmp_path / "page", (1, 2, 4), names)
    with pytest.raises(FileNotFoundError, match=r"holds no onnxruntime-web .*npm install"):
        find_runtime(tmp_path)
    assert not (tmp_path / "page").exists()


def test_the_command_says_what_is_missing(trained, place):
    given = ("page", "latest", "--output", trained, "--to", "page")
    assert "holds no onnxruntime-web" in error_of(*given, "--runtime", ".", code=2)
    assert "no networks of epoch 5" in error_of(*given, "--checkpoint", 5, code=2)
    copy = place / "copy"
    shutil.copytree(only(trained), copy)
    (copy / "generator.safetensors").unlink()
    assert "has no generator" in error_of("page", copy, "--to", "page", code=2)
    assert not Path("page").exists()


@pytest.fixture
def browser():
    """A headless Chromium, where there is onnxruntime-web."""
    package("onnxruntime-web")
    with chromium() as found:
        yield found


def opened(browser, path, **options):
    """Open a page from the disk, without a network, and wait until its generator is loaded."""
    context = browser.new_context(offline=True, **options)
    page = context.new_page()
    page.on("pageerror", lambda error: pytest.fail(str(error)))
    page.goto(path.as_uri())
    page.wait_for_function("performance.getEntriesByName('ready').length > 0", timeout=120_000)
    return page


def shown(page):
    """Return the pixels of the word."""
    page.wait_for_function("!running && !again")
    rows = page.evaluate(
        """() => { const c = document.getElementById("word");
        const d = c.getContext("2d").getImageData(0, 0, c.width, c.height).data;
        return [c.height, c.width, Array.from(d.filter((_, i) => i % 4 === 0))]; }"""
    )
    return np.reshape(rows[2], rows[:2])


def drawn_by_the_command(trained, *given):
    word = call("generate", "latest", "--output", trained, "--to", "out", *given).split()[0]
    return picture(word)[::6, ::6].astype(int)


def test_the_page_draws_what_generate_draws(trained, place, browser):
    path = Path(call("page", "latest", "--output", trained, "--to", "p", "--runtime", NPM).strip())
    page = opened(browser, place / path)
    page.fill("#text", "7717")
    close = {"atol": 1}  # one level of 255, where rounding differs
    for hand in (0, 3):
        page.select_option("#from", str(hand))
        np.testing.assert_allclose(
            shown(page), drawn_by_the_command(trained, "--word", "7717", "--seed", hand), **close
        )
    page.check("#fresh")
    fresh = ("--word", "7717", "--seed", 3, "--noise", "fresh")
    np.testing.assert_allclose(shown(page), drawn_by_the_command(trained, *fresh), **close)
    page.fill("#text", "7x")
    shown(page)
    assert "It has no class for “x”" in page.inner_text("#status")
    assert "“7”" in page.get_attribute("#word", "aria-label")
    before = shown(page)
    page.evaluate("document.getElementById('share').value = 50")
    page.dispatch_event("#share", "input")
    assert not np.array_equal(shown(page), before)
    page.focus("#classes button")
    page.keyboard.press("Enter")
    assert page.input_value("#text") == "7x0" and shown(page).shape == (10, 20)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_accessible_at_any_width(trained, place, browser, width, scheme):
    call("page", "latest", "--output", trained, "--to", "p", "--runtime", NPM)
    viewport = {"width": width, "height": 800}
    page = opened(browser, place / "p/index.html", viewport=viewport, color_scheme=scheme)
    assert violations(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_samples_of_a_generator_without_classes_are_drawn(tmp_path, browser):
    page = opened(browser, small_page(tmp_path, (), runtime=find_runtime(NPM)))
    before = shown(page)
    assert before.shape == (5, 10 * 6) and page.is_hidden("#text")
    page.click("#new")
    assert not np.array_equal(shown(page), before)


def test_a_page_says_the_range_of_its_generator(tmp_path):
    network = sal.Network([sal.NeuronLayer(12, sal.Sigmoid())], 3)
    page = parts(write_page(network, tmp_path, (1, 3, 4), ()))["page"]
    hand = np.array(page["hands"][0], np.float32).reshape(-1, 3)
    shown = np.frombuffer(base64.b64decode(page["first"]), np.uint8).reshape(-1, 12)
    assert page["range"] == [0, 1] and len(shown) == 10
    np.testing.assert_allclose(shown, 255 * network.predict(hand[:10]), atol=0.51)
