"""The built-in recognisers: what they find, what only looks like it, and that prose and code are left alone."""

from __future__ import annotations

import pytest

from routeiq_guard_pii import checksums, coins
from routeiq_guard_pii.builtin import BY_NAME_ONLY, ENTITIES, Builtin
from routeiq_guard_pii.found import Found, apart, certain

HITS = {
    "EMAIL_ADDRESS": ["jane.doe+tag@mail.example.co.uk", "o'neil@example.com", "jürgen@müller.example"],
    "PHONE_NUMBER": [
        "+1 415 555 2671", "+44 (0)20 7946 0958", "+49-30-1234567", "+33123456789", "(415) 555-2671", "415.555.2671",
        "1-800-555-2199", "020 7946 0958", "01 23 45 67 89", "07700900123", "030/1234567", "415\u2011555\u20112671",
        "+91\u00a098765\u00a043210",
    ],
    "CREDIT_CARD": [
        "4111 1111 1111 1111", "4111-1111-1111-1111", "4111111111111111", "378282246310005", "3782 822463 10005",
        "5555555555554444", "2223003122003222", "6011111111111117", "30569309025904", "3530111333300000",
    ],
    "IBAN_CODE": [
        "DE89 3704 0044 0532 0130 00", "GB29NWBK60161331926819", "CH93 0076 2011 6238 5295 7", "NO9386011117947",
    ],
    "US_SSN": ["536-90-4399", "536 90 4399"],
    "US_ITIN": ["912-70-1234"],
    "UK_NHS": ["943 476 5919", "943-476-5919"],
    "UK_NINO": ["AB123456C", "AB 12 34 56 C"],
    "IP_ADDRESS": ["203.0.113.7", "2001:db8::ff00:42:8329", "2001:0db8:0000:0000:0000:ff00:0042:8329"],
    "CRYPTO": [
        "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "0x52908400098527886E0F7030069857D2E4169EE7",
    ],
    "DE_TAX_ID": ["86095742719", "86 095 742 719"],
    "ES_NIF": ["12345678Z", "12345678-Z"],
    "ES_NIE": ["X1234567L"],
    "IT_FISCAL_CODE": ["RSSMRA85T10A562S"],
    "PL_PESEL": ["44051401359"],
    "SG_NRIC_FIN": ["S1234567D", "G1234567X"],
    "AU_ABN": ["51 824 753 556", "51824753556"],
    "AU_ACN": ["004 085 616"],
    "AU_TFN": ["123 456 782"],
    "AU_MEDICARE": ["2123 45670 1"],
    "IN_PAN": ["AFZPK7190K"],
    "IN_AADHAAR": ["2345 6789 0124"],
    "FI_PERSONAL_IDENTITY_CODE": ["131052-308T"],
    "URL": ["https://example.com/a?b=c"],
}  # fmt: skip

MISSES = {
    "EMAIL_ADDRESS": ["@app.route", "git@github.com:org/repo", "a@b", "user@localhost", "@@@"],
    "PHONE_NUMBER": [
        "2024-01-02", "1700000000", "0123456789", "550e8400-e29b-41d4-a716-446655440000", "+1000", "1-2-3-4-5-6-7",
        "3.14159265358979", "192.168.100.200", "2024-01-02T03:04:05+0100", "v1.800.555.2199.4",
    ],
    "CREDIT_CARD": [
        "4111 1111 1111 1112", "1234567890123456", "1700000000000", "41111111111111111111", "a4111111111111111",
    ],
    "IBAN_CODE": ["DE89 3704 0044 0532 0130 01", "ZZ89370400440532013000", "DE8937040044053201300012"],
    "US_SSN": ["000-12-3456", "666-12-3456", "900-12-3456", "536-00-4399", "536-90-0000", "536904399", "1536-90-4399"],
    "US_ITIN": ["912-66-1234", "812-70-1234"],
    "UK_NHS": ["943 476 5918", "9434765919"],
    "UK_NINO": ["GB123456C", "AB123456E", "DA123456A"],
    "IP_ADDRESS": [
        "256.1.1.1", "1.2.3", "1.2.3.4.5", "v1.2.3.4", "127.0.0.1", "0.0.0.0", "a::b", "12:30:45", "std::abs",
    ],
    "CRYPTO": ["1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNb", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdx", "0x1234"],
    "DE_TAX_ID": ["86095742718", "12345678901"],
    "ES_NIF": ["12345678A"],
    "ES_NIE": ["X1234567A"],
    "IT_FISCAL_CODE": ["RSSMRA85T10A562T"],
    "PL_PESEL": ["44051401358", "44991401359"],
    "SG_NRIC_FIN": ["S1234567A"],
    "AU_ABN": ["51 824 753 557"],
    "AU_ACN": ["004 085 617"],
    "AU_TFN": ["123 456 789"],
    "AU_MEDICARE": ["2123 45671 1"],
    "IN_PAN": ["AFZXK7190K", "afzpk7190k"],
    "IN_AADHAAR": ["2345 6789 0125", "1345 6789 0124"],
    "FI_PERSONAL_IDENTITY_CODE": ["131052-308U", "991352-308T"],
    "URL": ["http://", "www.x"],
}  # fmt: skip

PROSE = """
In 2024 the committee met 12 times and read 1,234 pages; on 2024-03-05 at 14:30:00 it closed. Section 4.2.1 of the
report (pp. 100-120) says that 299 792 458 metres a second is exact, that 65536 65537 follow one another and that
3.141592653589793 is not. ISBN 978-3-16-148410-0 stands on the shelf beside version 10.15.7 of the manual.
for i in range(0, 1000000): print(f"{i:08d} {0xDEADBEEF} {1_000_000}")  # since (2023-11-30) see #1234567
@decorator
def f(x: int = 1700000000) -> dict[str, int]: return {"created": 1700000000123, "id": 9007199254740991}
SELECT * FROM t WHERE a::text = 'x' AND created_at > '2024-01-02T03:04:05+0100' LIMIT 100; -- 127.0.0.1:8080
commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904, uuid 550e8400-e29b-41d4-a716-446655440000, std::vector<int>::size()
A = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]; B = 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; total 100 200 300 400
"""


def find(text: str, *entities: str) -> list[tuple[str, str]]:
    found = Builtin(frozenset(entities or ENTITIES - BY_NAME_ONLY)).find(text)
    return [(text[each.start : each.end], each.entity) for each in apart(found)]


def test_every_entity_has_examples() -> None:
    assert set(HITS) == set(MISSES) == ENTITIES


@pytest.mark.parametrize(("entity", "value"), [(entity, value) for entity, values in HITS.items() for value in values])
def test_it_is_found_alone_in_a_sentence_in_json_and_next_to_another(entity: str, value: str) -> None:
    for before, after in [
        ("", ""),
        ("It is ", "."),
        ('{"a": "', '"}'),
        ("(", ")"),
        ("Ist es ", ", oder?"),
        ("は", "です"),
    ]:
        assert find(before + value + after, entity) == [(value, entity)]
    assert find(f"{value}\n{value}, {value}", entity) == [(value, entity)] * 3


@pytest.mark.parametrize(("entity", "text"), [(entity, text) for entity, texts in MISSES.items() for text in texts])
def test_what_only_looks_like_it_is_left_alone(entity: str, text: str) -> None:
    for before, after in [("", ""), ("It is ", "."), ('{"a": "', '"}')]:
        assert find(before + text + after, entity) == []


def test_a_page_of_prose_and_code_holds_nothing() -> None:
    assert find(PROSE) == []


def test_what_overlaps_has_the_name_of_the_surest_and_all_of_it_is_found() -> None:
    assert find("+1 415 555 2671") == [("+1 415 555 2671", "PHONE_NUMBER")]
    assert find("4111 1111 1111 1111 2345") == [("4111 1111 1111 1111", "CREDIT_CARD")]
    assert apart([Found(0, 5, "A", 0.5), Found(3, 9, "B", 0.9)]) == [Found(0, 9, "B", 0.9)]


def test_thresholds_hold_for_their_entity_and_all_for_the_rest() -> None:
    found = [Found(0, 1, "A", 0.5), Found(1, 2, "B", 0.5)]
    assert certain(found, {"ALL": 0.6}) == []
    assert certain(found, {"ALL": 0.6, "B": 0.5}) == found[1:]
    assert certain(found, {}) == found


def test_check_digits_refuse_every_single_wrong_digit() -> None:
    checks = [
        ("4111111111111111", checksums.luhn),
        ("234567890124", checksums.verhoeff),
        ("9434765919", checksums.nhs),
        ("51824753556", checksums.australian_business_number),
        ("123456782", checksums.australian_tax_file_number),
        ("DE89370400440532013000", checksums.iban),
        ("1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", coins.is_base58),
    ]
    for number, holds in checks:
        assert holds(number)
        for place, char in enumerate(number):
            for other in "0123456789":
                if other != char and char.isdigit():
                    assert not holds(number[:place] + other + number[place + 1 :]), (number, place, other)
