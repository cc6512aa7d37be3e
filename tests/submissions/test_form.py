"""The form: every fault at once, by the name of its field, and nothing heavy imported for it."""

import subprocess
import sys
from itertools import product

import pytest

from isocortex.benchmarks import offered_benchmarks
from isocortex.candidates import Preprocessing
from isocortex.errors import InputError, RejectedError
from isocortex.submissions.benchmark_names import benchmark_fault
from isocortex.submissions.forms import REQUIRED, read_form
from isocortex.submissions.texts import cleaned, line_faults

from .made import form_of

HARMLESS = (
    "5 < 6 and 7 > 6, it's 80 %",
    "Robert'); DROP TABLE submission;--",
    "Müller & Søn, 神経 — π ≈ 3",
    "a resnet-18 (see doi:10.1000/182)",
)
HARMFUL = {
    "terminal": "\x1b[2J\x1b]0;title\x07",
    "zero": "a\0b",
    "newline": "two\nlines",
    "right to left": "ab\u202ecba",
    "isolate": "ab\u2066cba",
    "invisible": "ab\u200bc",
    "private": "ab\ue000c",
    "unknown": "ab\U000e0fffc",
    "line separator": "ab\u2028c",
    "stacked marks": "a" + "\u0301" * 20,
    "decomposed": "cafe\u0301",
    "script": "<script>alert(1)</script>",
    "image": "<img src=x onerror=alert(1)>",
    "comment": "<!-- hidden -->",
    "template": "{{ 7 * 7 }}",
    "statement": "{% include '/etc/passwd' %}",
    "shell": "${jndi:ldap://x}",
    "formula": "=HYPERLINK(1)",
    "plus": "+1+1",
    "command": "@SUM(A1)",
    "address": "javascript:alert(1)",
    "long": "x" * 501,
    "spaces": " padded ",
}


def faults_of(document: object) -> list[str]:
    with pytest.raises(RejectedError) as caught:
        read_form(document)
    return list(caught.value.faults)


@pytest.mark.parametrize("kind", REQUIRED)
def test_a_form_of_each_kind_is_read(kind):
    assert read_form(form_of(kind)).kind == kind


def test_all_faults_are_listed_at_once_each_under_its_field():
    document = {
        **form_of("onnx", card={"architecture": "convolutionl", "seed": -1}),
        "model": "../net",
        "visibility": "secret",
        "layers": ["a", "a"],
        "benchmarks": ["simulated/IT/rsb"],
        "preprocessing": {"resize": 8, "crop": 16},
        "network": {"architecture": "conv4"},
        "bogus": 1,
    }
    del document["card"]["licence"], document["sha256"]
    fields = {fault.partition(":")[0] for fault in faults_of(document)}
    assert fields == {
        *("model", "visibility", "layers", "benchmarks", "preprocessing", "network", "bogus"),
        *("card.architecture", "card.seed", "card.licence", "sha256"),
    }


def test_an_unknown_term_comes_with_the_nearest_ones():
    (fault,) = faults_of(form_of("onnx", card={"architecture": "convolutionl"}))
    assert "did you mean convolutional" in fault


@pytest.mark.parametrize("text", HARMLESS)
def test_plain_text_is_kept_as_it_is(text):
    assert read_form(form_of("onnx", card={"summary": text})).card.summary == text


@pytest.mark.parametrize("name", HARMFUL)
def test_text_that_could_do_harm_is_refused_and_shown_escaped(name):
    (fault,) = faults_of(form_of("onnx", card={"summary": HARMFUL[name]}))
    assert fault.startswith("card.summary: ")
    assert fault.isascii()
    assert fault.isprintable()


@pytest.mark.parametrize(
    ("entry", "hint"),
    [
        ("@article{a, title={open}", "braces that do not match"),
        ("@article{a, title={x}}}\n{", "braces that do not match"),
        ('@article{a, title={x}}\n@PREAMBLE{"y"}', "@preamble"),
        ('@string{a = "b"}', "@string"),
        ("@article{a, title={\\immediate\\write18{rm}}}", r"\\immediate"),
        ("@article{a, title={\\input{/etc/passwd}}}", r"\\input"),
    ],
)
def test_bibtex_can_not_break_a_list_of_references(entry, hint):
    with pytest.raises(RejectedError, match=hint):
        read_form(form_of("onnx", card={"bibtex": entry}))
    honest = "@article{a, title={{\\'E}tude of \\textit{in} letters}}\n@misc{b, note={x}}"
    assert read_form(form_of("onnx", card={"bibtex": honest}))


def test_bibtex_may_have_lines_and_double_braces_but_no_markup():
    entry = "@article{a2026,\n\ttitle = {{ImageNet}}\n}"
    assert read_form(form_of("onnx", card={"bibtex": entry})).card.bibtex == entry
    for bad in ("see there", entry + "<b>", entry + "\x1b[0m"):
        assert faults_of(form_of("onnx", card={"bibtex": bad}))


@pytest.mark.parametrize("layer", ["", "../x", "a\\b", "=1", "a\tb", "<b>", "x" * 201, " a"])
def test_layers_are_names_and_no_paths(layer):
    assert faults_of(form_of("onnx", layers=[layer]))[0].startswith("layers: ")


@pytest.mark.parametrize("layer", ["blocks.block1", "/layer1/layer1.0/relu/Relu_output_0", "12"])
def test_names_as_exporters_give_them_are_layers(layer):
    assert read_form(form_of("onnx", layers=[layer])).layers == (layer,)


def test_preprocessing_is_held_to_the_rules_of_the_network_s_own():
    for crop, std, scale, channels in product((0, 32, 64), (0.0, 0.5), (-1.0, 255.0), ("RGB", "X")):
        settings = {"resize": 32, "crop": crop, "std": [std] * 3, "scale": scale}
        settings |= {"channels": channels}
        try:
            Preprocessing(**{**settings, "std": (std,) * 3})
        except InputError:
            assert faults_of(form_of("onnx", preprocessing=settings)), settings
        else:
            read_form(form_of("onnx", preprocessing=settings))


@pytest.mark.parametrize("number", [float("nan"), float("inf"), "0.5", True, 1e300])
def test_numbers_are_finite_numbers(number):
    faults = faults_of(
        form_of("onnx", preprocessing={"resize": 8, "crop": 8, "mean": [number] * 3})
    )
    assert all(fault.startswith("preprocessing.mean") for fault in faults)


def test_every_benchmark_on_offer_has_a_name_that_may_be_submitted_to():
    assert {name: benchmark_fault(name) for name in offered_benchmarks()} == dict.fromkeys(
        offered_benchmarks()
    )


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("simulated/IT", "expected dataset/region/scorer"),
        ("simulatd/IT/rsa", "did you mean simulated"),
        ("simulated/IT/rdm", "no scorer"),
        ("kriegeskorte2008/human-IT/ridge", "needs responses"),
        ("../../etc/passwd", "expected dataset/region/scorer"),
    ],
)
def test_what_is_no_benchmark_is_told(name, reason):
    assert reason in str(benchmark_fault(name))


@pytest.mark.parametrize(
    "changes",
    [
        {"revision": "main"},
        {"revision": "0" * 39},
        {"file": "pytorch_model.bin"},
        {"file": "../model.safetensors"},
        {"name": "net"},
        {"name": "ada/../net"},
        {"name": "https://evil/net"},
        {"hub": "pickle-hub"},
    ],
)
def test_a_reference_is_pinned_and_of_safetensors(changes):
    reference = form_of("hub")["reference"] | changes
    assert faults_of(form_of("hub", reference=reference))[0].startswith("reference")


def test_hugging_face_needs_the_architecture_and_preprocessing_said():
    form = form_of("hub")
    del form["network"], form["preprocessing"]
    assert {fault.partition(":")[0] for fault in faults_of(form)} == {"network", "preprocessing"}


@pytest.mark.parametrize("document", [None, [], "form", 7, {}])
def test_what_is_no_form_is_told_without_a_traceback(document):
    assert faults_of(document)


def test_what_a_jail_says_is_one_printable_line():
    assert cleaned("a\x1b[31m\nb" + "c" * 999).startswith("a [31m bccc")
    assert len(cleaned("c" * 9999)) == 300
    assert line_faults("fine", most=10) == []


def test_forms_and_checks_import_neither_torch_nor_onnxruntime():
    code = (
        "import sys; from isocortex.submissions import forms, checking, blobs, entering, given;"
        "print([name for name in ('torch', 'onnxruntime', 'onnx') if name in sys.modules])"
    )
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert output.stdout.strip() == "[]", output.stderr
