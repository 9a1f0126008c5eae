"""Reading YAML: tags, aliases, merges, traps."""

import pytest


def test_secrets_come_from_the_environment_and_from_files(configured, tmp_path, monkeypatch):
    monkeypatch.setenv("PACS_HOST", "pacs.example")
    monkeypatch.setenv("PACS_PORT", "1104")
    (tmp_path / "title.txt").write_text("PACS\n")
    config = configured(
        "destinations:\n"
        "  pacs: {ae_title: !file title.txt, host: !env PACS_HOST, port: !env PACS_PORT}\n"
    )
    pacs = config.destinations["pacs"]
    assert (pacs.ae_title, pacs.host, pacs.port) == ("PACS", "pacs.example", 1104)


def test_only_the_final_newline_of_a_file_is_left_out(configured, tmp_path):
    (tmp_path / "key").write_bytes(b" secret \r\n\r\n")
    config = configured("plugins: {p: {use: set, options: {InstitutionName: !file key}}}")
    assert config.plugins["p"].options == {"InstitutionName": " secret \r\n"}


def test_a_secret_is_not_in_what_is_printed(configured, monkeypatch):
    monkeypatch.setenv("SECRET", "hush")
    config = configured("plugins: {p: {use: set, options: {PatientID: !env SECRET}}}")
    assert "hush" not in repr(config)


def test_aliases_and_merges_work_and_own_keys_come_first(configured):
    config = configured(
        "destinations:\n"
        "  pacs: &pacs\n"
        "    ae_title: PACS\n"
        "    host: pacs.example\n"
        "    retry: &patient {first: 1 min}\n"
        "  oldpacs:\n"
        "    ae_title: OLDPACS\n"
        "    <<: *pacs\n"
        "  third: {<<: [{port: 1}, *pacs], ae_title: THIRD, retry: *patient}\n"
    )
    old, third = config.destinations["oldpacs"], config.destinations["third"]
    assert (old.ae_title, old.host, old.retry.first) == ("OLDPACS", "pacs.example", 60)
    assert (third.port, third.ae_title, third.retry.first) == (1, "THIRD", 60)


def test_a_section_with_everything_commented_out_is_as_if_absent(configured):
    assert configured("routes:\n  # - name: later\npeers:\n").routes == ()


def test_an_empty_file_is_a_configuration_that_receives_nothing(configured):
    assert [lint.message for lint in configured("").lints] == [
        "no listeners: nothing can be received"
    ]


def test_a_byte_order_mark_does_not_matter(configured):
    assert configured("\ufefftimezone: UTC").timezone.key == "UTC"


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("a: *", "1:4: '*' or '&' begins a name; quote it"),
        ("a: @x", "1:4: text cannot begin with @; quote it"),
        ("a: `x", "1:4: text cannot begin with `; quote it"),
        ("a: > 5", "1:4: '>' or '|' begins a block of text; quote it"),
        ("a: - b", "1:4: a '- ' where no list can be; check the indentation"),
        ("a: }", "1:4: '}' where a value should be; quote it"),
        ("a:\n  \tb: 1", "2:3: a tab; YAML is indented with spaces only"),
        ("a: b: c", "1:5: a ':' too many; check the indentation, or quote it"),
        ("a: 'x", "1:4: a quote that is not closed"),
        ("a: [1, 2\nb: 3", "1:4: a bracket that is not closed, or a ',' is missing"),
        ('a: "\\d"', '1:6: "\\d": in double quotes write \\\\ for \\'),
        ("- a\nb: 1", "2:1: the indentation does not fit the lines above"),
        ("a: 1\n---\nb: 1", "2:1: a second document ('---'); one file is one configuration"),
        ("a: \x07", "1:4: a control character, which YAML does not allow"),
        ("[" * 100, "1:61: too many levels"),
        ("a: &x [*x]", "1:4: a[0]: an alias inside what it stands for"),
        ("[1]: 2", '1:1: a key is text; quote it: "[1]"'),
        ("just text", "1:1: a configuration is `key: value` lines"),
        (
            "spool: !deny {}",
            "1:8: spool: unknown tag '!deny', known are !env and !file; text is quoted",
        ),
        ("spool: {<<: 3}", "1:13: spool: '<<' takes a mapping, such as an alias of one"),
    ],
)
def test_what_yaml_cannot_read_is_explained(mistakes, text, mistake):
    assert f"config.yaml:{mistake}" in mistakes(text)


def test_a_file_that_is_not_there_or_not_text_is_a_mistake(mistakes, tmp_path):
    (tmp_path / "binary").write_bytes(b"\xff")
    assert mistakes("include: [binary]") == ["binary:1:1: is not UTF-8 text (byte 1)"]
    assert mistakes("include: [.]") == [".:1:1: cannot be read: Is a directory"]


def test_a_value_left_out_is_reported_at_its_key(mistakes):
    text = "listeners:\n  main:\n    accept:\n    port: 104\n"
    assert mistakes(text) == [
        "config.yaml:3:5: listeners.main.accept: is empty here; leave it out for its default"
    ]
