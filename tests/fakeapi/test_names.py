"""Names, keys, ports and addresses: what passes, and in which words the rest is refused."""

import pytest

from fakeapi import names

LONG = "a" * 254


@pytest.mark.parametrize(
    ("rule", "value", "starts"),
    [
        (names.is_dns1123_label, "a-1", []),
        (names.is_dns1123_label, "a.b", ["must not contain dots"]),
        (names.is_dns1123_label, "A", ["a lowercase RFC 1123 label must consist"]),
        (names.is_dns1123_label, "a" * 64, ["must be no more than 63 characters"]),
        (names.is_dns1123_label, "a\n", ["a lowercase RFC 1123 label must consist"]),
        (names.is_dns1123_subdomain, "a.b-c.1", []),
        (names.is_dns1123_subdomain, LONG, ["must be no more than 253 characters"]),
        (names.is_dns1035_label, "1a", ["a DNS-1035 label must consist"]),
        (names.is_wildcard_subdomain, "*.a.b", []),
        (names.is_wildcard_subdomain, "a.*.b", ["a wildcard DNS-1123 subdomain must start with '*.'"]),
        (names.is_qualified_name, "example.com/My.Name", []),
        (names.is_qualified_name, "a" * 64, ["name part must be no more than 63 bytes"]),
        (names.is_qualified_name, "/a", ["prefix part must be non-empty"]),
        (names.is_qualified_name, "", ["name part must be non-empty", "name part must consist of"]),
        (names.is_qualified_name, "a/b/c", ["a valid label key must consist of"]),
        (names.is_label_value, "", []),
        (names.is_label_value, "-a", ["a valid label must be an empty string"]),
        (names.is_config_key, "..", ["must not be '..'"]),
        (names.is_config_key, "..a", ["must not start with '..'"]),
        (names.is_port_name, "a--b", ["must not contain consecutive hyphens"]),
        (names.is_port_name, "80", ["must contain at least one letter (a-z)"]),
        (names.is_env_name, "A=", ["a valid environment variable name must consist only"]),
        (names.is_path_segment, "a/%", ["may not contain '/'", "may not contain '%'"]),
        (names.is_path_segment, "..", ["may not be '..'"]),
        (names.is_percent, "10", ["a valid percent string must be"]),
        (names.is_port_number, 0, ["must be between 1 and 65535, inclusive"]),
    ],
)
def test_rules(rule, value, starts):
    found = rule(value)
    assert len(found) == len(starts)
    assert all(text.startswith(start) for text, start in zip(found, starts, strict=True))


def test_a_generated_name_may_end_in_dashes():
    assert names.name_is_dns_label("web-", True) == []
    assert names.name_is_dns_label("web-", False) != []


@pytest.mark.parametrize(
    ("term", "field"),
    [
        ({"key": "a", "operator": "In"}, "s.matchExpressions[0].values"),
        ({"key": "a", "operator": "Exists", "values": ["x"]}, "s.matchExpressions[0].values"),
        ({"key": "a", "operator": "Like"}, "s.matchExpressions[0].operator"),
        ({"key": "a b", "operator": "Exists"}, "s.matchExpressions[0].key"),
        ({"key": "a", "operator": "In", "values": ["x y"]}, "s.matchExpressions[0].values[0]"),
    ],
)
def test_label_selectors(term, field):
    assert [e.field for e in names.check_label_selector("s", {"matchExpressions": [term]})] == [field]
