"""Number reading: every spelling of issue 2 part 4, and whatever a SIP header may bring."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.errors import NumberError
from router.numbers import (
    LONGEST_HEADER,
    dialable,
    display,
    header_number,
    in_use,
    masked,
    never_dialled,
    read_number,
    safe_text,
)

MOBILE = "+33612345678"


@pytest.mark.parametrize(
    "text",
    [
        "+33612345678",
        "0033612345678",
        "33612345678",
        "0612345678",
        "+33 (0)6 12 34 56 78",
        "+33 (0) 6 12 34 56 78",
        "(+33) 6 12 34 56 78",
        "+33.6.12.34.56.78",
        "06-12-34-56-78",
        "06\u00a012\u202f34\u00a056\u00a078",
        "06‑12‑34‑56‑78",
        "  06 12 34 56 78\t",
        "tel:+33-6-12-34-56-78",
        "tel:0612345678;phone-context=+33",
        "sip:+33612345678@10.0.0.1:5060;user=phone",
        "SIPS:0612345678@example.net",
        "sip:%2B33612345678@example.net",
        "%2B33612345678",
        "+33612345678;npdi;rn=+33600000000",
        "+33612345678@example.net",
        '"Zoé" <sip:+33612345678@example.net>;tag=1',
    ],
)
def test_every_usual_spelling_of_one_number(text: str) -> None:
    assert read_number(text, "FR") == MOBILE


@pytest.mark.parametrize(
    ("text", "country", "number"),
    [
        ("0033612345678", "US", MOBILE),  # 00 is not the American prefix; carriers send it all the same
        ("011 33 6 12 34 56 78", "US", MOBILE),
        ("(202) 456-1111", "US", "+12024561111"),
        ("447911123456", "FR", "+447911123456"),
        ("06 698 12345", "IT", "+390669812345"),  # an Italian zero belongs to the number
        ("+39 06 698 12345", "FR", "+390669812345"),
        ("+44 (0)20 7946 0000", "FR", "+442079460000"),
        ("+15551234567", "FR", "+15551234567"),  # of a possible length, though in no range in use
        ("+33612345678", "", MOBILE),
        ("0033612345678", "", MOBILE),
        ("(555) 123-4567", "US", "+15551234567"),
    ],
)
def test_countries(text: str, country: str, number: str) -> None:
    assert read_number(text, country) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "+",
        "()+",
        "anonymous",
        "+1555ABC",
        "0612O45678",
        "06*12",
        "#31#0612345678",
        "+33+612345678",
        "0612345678 / 0687654321 x",
        "٠٦١٢٣٤٥٦٧٨",
        "+336",
        "+999123456789",
        "+33612345678901234",
        "123",
        "061234567",
        "+33061234567",
        "15551234567",  # might be American, but is in no range in use: too much of a guess
        "sip:example.net",
        "<>",
        "0612345678,0687654321",
        "06\r\n12345678",
        "06\x0012345678",
        "9" * 4000,
        "+" * 4000,
    ],
)
def test_what_is_no_number_is_refused(text: str) -> None:
    with pytest.raises(NumberError):
        read_number(text, "FR")


def test_without_a_country_only_international_forms_are_read() -> None:
    with pytest.raises(NumberError, match="no country code"):
        read_number("0612345678", "")


@pytest.mark.parametrize("text", ["0612345678 ABC", "+33612345678901234", "061234567", "7" * 300])
def test_messages_never_repeat_the_number(text: str) -> None:
    with pytest.raises(NumberError) as error:
        read_number(text, "FR")
    assert not any(char.isdigit() for char in str(error.value))


@pytest.mark.parametrize(
    ("text", "country", "why"),
    [
        ("112", "FR", "emergency"),
        ("+33 112", "FR", "emergency"),
        ("0033112", "FR", "emergency"),
        ("15", "FR", "emergency"),
        ("911", "US", "emergency"),
        ("999", "GB", "emergency"),
        ("3615", "FR", "short"),
        ("118218", "FR", "short"),
        ("0899 123 456", "FR", "premium"),
        ("+33899123456", "US", "premium"),
        ("0820 123 456", "FR", "shared-cost"),
        ("+447012345678", "FR", "personal"),
        ("+447640123456", "FR", "pager"),
        ("+881612345678", "FR", "satellite"),
        ("+870773123456", "FR", "Inmarsat"),
        ("+15551234567", "FR", "no range"),
        ("+1555ABC", "FR", "no telephone number"),
        ("33112", "FR", "short"),
        ("+33112", "", "length"),
    ],
)
def test_what_is_never_dialled(text: str, country: str, why: str) -> None:
    with pytest.raises(NumberError, match=why):
        dialable(text, country)


@pytest.mark.parametrize("text", ["06 12 34 56 78", "+33184801001", "+447911123456", "0033612345678"])
def test_ordinary_numbers_are_dialable(text: str) -> None:
    assert dialable(text, "FR") == read_number(text, "FR")


@pytest.mark.parametrize("text", ["+33899123456", "112", "+33112", "3615", "+881612345678", "7" * 32, "", "x"])
def test_why_nobody_should_call_it_back(text: str) -> None:
    with pytest.raises(NumberError) as refused:
        dialable(text, "FR")
    assert never_dialled(text, "FR") == str(refused.value) != ""


@pytest.mark.parametrize("text", ["+33612345678", "+447911123456", "+15551234567"])
def test_nothing_speaks_against_the_others_nor_against_a_new_range(text: str) -> None:
    assert never_dialled(text, "FR") == ""


def test_in_use() -> None:
    assert in_use(MOBILE)
    assert not in_use("+15551234567")
    assert not in_use("anonymous")


@pytest.mark.parametrize(
    ("value", "user"),
    [
        ('"Alice" <sip:+33612345678;npdi@host;user=phone>;tag=9', "+33612345678"),
        ('"a <sip:1@x>" <sip:+33612345678@host>', "+33612345678"),
        ('"quote \\" <sip:1@x>" <sip:2@x>', "2"),
        ("sip:%2B33612345678@host", "+33612345678"),
        ("tel:+33-6-12-34-56-78;isub=1", "+33-6-12-34-56-78"),
        ("<sip:+33612345678:secret@host>", "+33612345678"),
        ("sip:0612345678@[2001:db8::1]:5060;transport=tcp", "0612345678"),
        ("<sip:1@a>;reason=unconditional, <sip:2@b>", "1"),
        ("0612345678", "0612345678"),
        ("sip:10.0.0.1:5060", ""),
        ("sip:host", ""),
        ("sip:@host", ""),
        ("", ""),
        ('"only a name', '"only a name'),
        ("<sip:%0d%0aEvil@host>", "Evil"),
        ("<sip:+33612345678?Replaces=x@host>", "+33612345678"),
    ],
)
def test_header_number(value: str, user: str) -> None:
    assert header_number(value) == user


def test_a_name_of_10_kb_in_front_of_the_address() -> None:
    assert header_number(f'"{"A" * 10_000}" <sip:+33612345678@host>') == MOBILE


def test_what_follows_the_bound_of_a_header_is_not_read() -> None:
    assert header_number('"' + "A" * LONGEST_HEADER + '" <sip:+33612345678@host>') != MOBILE


@pytest.mark.parametrize("hostile", ["<" * 100_000, '"' * 100_001, '"\\' * 50_000, "%" * 100_000, ";" * 100_000])
def test_hostile_headers_take_no_time(hostile: str) -> None:
    begun = time.perf_counter()
    header_number(hostile)
    assert time.perf_counter() - begun < 1


def test_display() -> None:
    assert display(MOBILE, "FR") == "+33 6 12 34 56 78"
    assert display("0612345678", "FR") == "+33 6 12 34 56 78"
    assert display("anony\x1b[2Jmous", "FR") == "anony[2Jmous"


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (MOBILE, "+33 • •• •• •• 78"),
        ("+12024561111", "+1 •••-•••-••11"),
        ("0612345678", "••••••••78"),
        ("12345", "•••••"),
        ("anonymous", "•••••••••"),
        ("", ""),
    ],
)
def test_masked(number: str, shown: str) -> None:
    assert masked(number) == shown


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("Zoé  O'Neil\r\nvia: x", "Zoé O'Neil via: x"),
        ("a\x1b[2Jb\x00\x07", "a[2Jb"),
        ("abc\u202egnp.exe", "abcgnp.exe"),
        ("zero\u200bwidth\ufeff", "zerowidth"),
        ("line\u2028two", "line two"),
        ("\ud800\ue000", ""),
        ("=HYPERLINK(1)", "=HYPERLINK(1)"),
        ("📞 shop", "📞 shop"),
    ],
)
def test_safe_text(text: str, safe: str) -> None:
    assert safe_text(text) == safe


def test_safe_text_is_cut_with_a_mark() -> None:
    assert safe_text("x" * 100_000, 10) == "x" * 9 + "…"
    assert safe_text("x" * 10, 10) == "x" * 10


@given(st.text(max_size=300))
def test_safe_text_is_always_one_harmless_short_line(text: str) -> None:
    safe = safe_text(text, 40)
    assert len(safe) <= 40
    assert not {unicodedata.category(char) for char in safe} & {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert safe_text(safe, 40) == safe


@given(st.text(max_size=300))
def test_header_number_never_raises_and_brings_no_control_character(value: str) -> None:
    user = header_number(value)
    assert not any(unicodedata.category(char) in ("Cc", "Cf") for char in user)


@given(
    st.text(alphabet="+0123456789 ()-.;@<>:%sipABtel,\x00é", max_size=60), st.sampled_from(["FR", "US", "IT", ""])
)
def test_a_number_that_is_read_is_e164_and_reads_as_itself(text: str, country: str) -> None:
    try:
        number = read_number(text, country)
    except NumberError:
        return
    assert number.startswith("+")
    assert number[1:].isascii()
    assert number[1:].isdigit()
    assert 5 <= len(number) <= 18
    assert read_number(number, country) == number


@given(st.integers(0, 99_999_999), st.sampled_from(["+336{}", "00336{}", "336{}", "06{}", "+33 (0)6 {}", "6{}"]))
@settings(max_examples=50)
def test_all_spellings_of_any_french_mobile_agree(rest: int, spelling: str) -> None:
    number = f"+336{rest:08d}"
    if in_use(number):
        assert read_number(spelling.format(f"{rest:08d}"), "FR") == number


@given(st.integers(0, 10**15 - 1), st.integers(1, 15))
def test_masking_shows_at_most_the_country_and_two_digits(value: int, length: int) -> None:
    digits = str(value).rjust(length, "3")[:length]
    shown = masked("+" + digits)
    code, rest = shown.split(" ", 1) if " " in shown else ("", shown)
    assert sum(char.isdigit() for char in rest) <= 2
    assert sum(char.isdigit() for char in code) <= 3
