"""Passwords: which may be chosen, and their hash by argon2id.

The parameters are those of OWASP's Password Storage Cheat Sheet (19 MiB, two passes, one lane). A
hash made with others is right all the same, and `is_outdated` says that it should be made anew.
"""

import unicodedata
from functools import cache
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from ..errors import InputError

SHORTEST: Final = 10
LONGEST: Final = 1_000

_HASHER: Final = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)


def check_password(password: str, *, name: str = "") -> None:
    """Raise InputError unless this may be the password of the account `name`."""
    text = _normal(password)
    plain = text.casefold()
    if len(text) < SHORTEST or max(len(text), len(password)) > LONGEST:
        raise InputError(
            f"the password has {len(text):,} characters; choose one of {SHORTEST} to {LONGEST:,}"
        )
    if plain in _COMMON or plain in _IN_ORDER or len(set(plain)) < 4:
        raise InputError("this password is one of the first that are tried; choose another one")
    if name and plain.replace(name.casefold(), "").strip("0123456789!?.-_") == "":
        raise InputError("the password is little more than the account's name; choose another one")


def hash_password(password: str) -> str:
    """The argon2id hash of a password, with its parameters and a new salt: about 30 ms."""
    return _HASHER.hash(_normal(password))


def is_right(stored: str | None, password: str) -> bool:
    """Whether the password belongs to the stored hash.

    One hash is computed whatever is stored; None, for an account that is not there or has no
    password, takes as long as a wrong password.
    """
    try:
        _HASHER.verify(stored or _nobodys_hash(), _normal(password, cut=True))
    except (Argon2Error, InvalidHashError, InputError):
        return False
    return stored is not None


def is_outdated(stored: str) -> bool:
    """Whether a stored hash was made with other parameters than today's."""
    return _HASHER.check_needs_rehash(stored)


def _normal(password: str, *, cut: bool = False) -> str:
    """The password as it is hashed: one form for each character, however it was typed."""
    try:
        password.encode()
    except UnicodeEncodeError:
        raise InputError("the password holds half a character; type it again") from None
    return unicodedata.normalize("NFKC", password[: LONGEST + 1] if cut else password)


@cache
def _nobodys_hash() -> str:
    return _HASHER.hash("the password of nobody")


_IN_ORDER: Final = "12345678901234567890 09876543210987654321 abcdefghijklmnopqrstuvwxyz"
_LEAKED: Final = """
    0123456789 0987654321 1111111111 1234512345 12345678900 1234567891 12345678910 1234567899
    123456789a 123456789q 1234567890q 123456abcd 1234abcd1234 147258369a 1q2w3e4r5t 1q2w3e4r5t6y
    1qaz2wsx3edc 1qazxsw23edc 9876543210 a1234567890 a123456789 aa123456789 aaaaaaaaaa abc1234567
    abc123456789 abcd123456 abcd12345678 abcdefghij administrator administrator1 adminadmin
    adminadmin1 asdfasdfasdf asdfghjkl1 asdfghjkl123 azertyuiop azertyuiop1 baseball123
    basketball basketball1 changeme123 changemenow charlie123 chocolate1 computer12 computer123
    correcthorsebatterystaple dragon1234 football12 football123
    helloworld helloworld1 iloveyou12 iloveyou123 iloveyou1234 iloveyousomuch isocortex1
    isocortex12 isocortex123 leaderboard letmein123 letmein1234 liverpool1 manchester manchester1
    master1234 michael123 mypassword mypassword1 neuroscience p@ssw0rd123 p@ssword123 pa55word123
    passw0rd12 passw0rd123 password00 password01 password10 password11 password12 password123
    password1234 password12345 password2024 password2025 password2026 password99 passwordpassword
    princess12 princess123 q1w2e3r4t5 q1w2e3r4t5y6 qazwsxedc1 qazwsxedc123 qazwsxedcrfv qwer123456
    qwerasdfzxcv qwerty1234 qwerty12345 qwerty123456 qwertyqwerty qwertyuiop qwertyuiop1
    qwertyuiop123 samsung123 starwars123 sunshine12 sunshine123 superman12 superman123 test123456
    testtest12 testtest123 thisismypassword trustno1trustno1 unbelievable welcome123 welcome1234
    welcome12345 welcome2024 welcome2025 welcome2026 whatever12 whatever123 zaq12wsxcde3
    zxcvbnm123 zxcvbnm1234 zxcvbnmasdfghjkl
"""
_COMMON: Final = frozenset(_LEAKED.split())
"""The most common of those that are long enough, from lists of leaked passwords."""
