"""Text that strangers write: what is refused of it, and how it is shown when it is refused."""

import re
import unicodedata
from typing import Final

_MARKUP: Final = re.compile(r"<[A-Za-z/!?]")
_TEMPLATE: Final = re.compile(r"\{\{|\{%|\$\{|<%")
_FORMULA: Final = ("=", "+", "-", "@", "|")
_ENTRY: Final = re.compile(r"@\s*([A-Za-z]+)\s*[{(]")
_NO_ENTRIES: Final = frozenset({"comment", "preamble", "string"})
_COMMAND: Final = re.compile(
    r"\\(?:catcode|csname|closeout|def|edef|gdef|include|immediate|input|let|openin|openout|read"
    r"|special|write)(?![A-Za-z])"
)
"""Commands of TeX that no reference needs."""

_SCHEME: Final = re.compile(r"\s*(javascript|vbscript|data|file)\s*:", re.IGNORECASE)
_REFUSED_CATEGORIES: Final = {
    "Cc": "a control character",
    "Cf": "an invisible or direction-changing character",
    "Cs": "half of a character",
    "Co": "a character of private use",
    "Cn": "a character that Unicode does not know",
    "Zl": "a line separator",
    "Zp": "a paragraph separator",
}


def line_faults(text: str, *, most: int, least: int = 0) -> list[str]:
    """What is wrong with one line of text that people will read, and spreadsheets may open."""
    faults = [*character_faults(text), *_length_faults(text, least, most)]
    if text != text.strip():
        faults.append("begins or ends with a space")
    if text.startswith(_FORMULA):
        faults.append(f"begins with {text[0]!r}, which a spreadsheet takes for a formula")
    if _MARKUP.search(text):
        faults.append("holds markup such as <b>; write plain text")
    if _TEMPLATE.search(text):
        faults.append("holds a template's brackets ({{, {%, ${ or <%); write plain text")
    if _SCHEME.match(text):
        faults.append("is an address that runs or opens something; give an https address")
    return faults


def bibtex_faults(text: str, *, most: int) -> list[str]:
    """What is wrong with BibTeX entries, which may have many lines and double braces."""
    faults = [*character_faults(text, kept="\n\t"), *_length_faults(text, 0, most)]
    if _MARKUP.search(text):
        faults.append("holds markup such as <b>; write plain BibTeX")
    if text.strip() and not re.match(r"\s*@[A-Za-z]+\s*\{", text):
        faults.append("does not begin like an entry, such as @article{")
    if not _is_balanced(text):
        faults.append("has braces that do not match, which would break a list of references")
    if none := {each.lower() for each in _ENTRY.findall(text)} & _NO_ENTRIES:
        faults.append(f"holds @{min(none)}, which is no reference")
    if commands := _COMMAND.findall(text):
        faults.append(
            f"holds the command {commands[0]}, which reads, writes or redefines something"
        )
    return faults


def _is_balanced(text: str) -> bool:
    depth = 0
    for each in text:
        depth += (each == "{") - (each == "}")
        if depth < 0:
            return False
    return depth == 0


def layer_faults(name: str) -> list[str]:
    """What is wrong with a layer's name."""
    faults = line_faults(name, least=1, most=200)
    if "\\" in name or ".." in name:
        faults.append("holds '..' or a backslash, as a path would")
    return faults


def character_faults(text: str, *, kept: str = "") -> list[str]:
    """What is wrong with the characters of a text; those in `kept` are none of it."""
    found = {
        f"holds {_REFUSED_CATEGORIES[category]} (U+{ord(each):04X})": None
        for each in text
        if each not in kept and (category := unicodedata.category(each)) in _REFUSED_CATEGORIES
    }
    faults = list(found)[:3]
    if re.search("m{5,}", "".join("m" if unicodedata.combining(each) else "." for each in text)):
        faults.append("stacks more than four marks on one letter")
    if not faults and unicodedata.normalize("NFC", text) != text:
        faults.append("is not in Unicode's composed form (NFC)")
    return faults


def shown(text: object, *, most: int = 80) -> str:
    """A stranger's text as it may stand in a message: in quotes, escaped and short."""
    quoted = ascii(str(text)[: most + 1])
    return quoted if len(str(text)) <= most else f"{quoted[:-1]}…'"


def cleaned(text: object, *, most: int = 300) -> str:
    """What a jailed process says, fit for a log, a terminal and a page: one line, no controls."""
    line = "".join(each if each.isprintable() else " " for each in str(text)[: 4 * most])
    line = " ".join(line.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"


def _length_faults(text: str, least: int, most: int) -> list[str]:
    if len(text) > most:
        return [f"has {len(text):,} characters; at most {most:,} are kept"]
    return ["is empty"] if len(text.strip()) < least else []
