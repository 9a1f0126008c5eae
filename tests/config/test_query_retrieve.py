"""What is wrong with query_retrieve is found where it stands."""

import pytest

from router.config import ConfigError, load

CONFIG = """\
listeners:
  main: {{ae_title: ROUTER, port: 0, bind: 127.0.0.1}}
destinations:
  pacs: {{ae_title: PACS, host: pacs.example{query}}}
  vna: {{type: folder, directory: ./vna{folder}}}
routes:
  - {{name: everything, to: [vna]}}
query_retrieve:
  - name: {name}
    listener: {listener}
    upstreams: [{upstream}]
    accept: {{calling_ae_titles: [WS1]}}
{more}
"""
GOOD = {
    **{"query": "", "name": "ws", "listener": "main", "upstream": "pacs", "more": ""},
    "folder": "",
}
INDEXED = {"folder": ", index: true", "upstream": "vna"}


def mistakes(tmp_path, **changes):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(**GOOD | changes))
    with pytest.raises(ConfigError) as caught:
        load(file)
    return [(each.position.line, each.message) for each in caught.value.mistakes]


@pytest.mark.parametrize(
    ("changes", "line", "said"),
    [
        ({"upstream": "pcas"}, 11, "did you mean 'pacs'?"),
        (
            {"upstream": "vna"},
            11,
            "unknown destination of type dicom, or folder with `index: true`: 'vna'",
        ),
        ({"listener": "mian"}, 10, "did you mean 'main'?"),
        ({"name": "everything"}, 9, "a second use of the name 'everything'"),
        ({"more": "    move_destinations: [ws1]"}, 13, "unknown destination of type dicom 'ws1'"),
        ({"more": "    instances: direct\n    chain: [keep]"}, 13, "`direct` with a chain"),
        (
            {"query": ", query: {retrieve: get}", "more": "    instances: direct"},
            13,
            "'pacs' has `retrieve: get`: use `through`, or `retrieve: move`",
        ),
        ({**INDEXED, "more": "    instances: direct"}, 13, "'vna' is a folder: use `through`"),
    ],
)
def test_what_does_not_go_together_is_found_where_it_stands(tmp_path, changes, line, said):
    [(where, message)] = mistakes(tmp_path, **changes)
    assert where == line
    assert said in message


def test_a_folder_with_an_index_is_an_upstream(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(**GOOD | INDEXED))
    assert load(file).query_retrieve[0].upstreams == ("vna",)


def test_who_may_ask_has_to_be_said(tmp_path):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG.format(**GOOD).replace("    accept: {calling_ae_titles: [WS1]}\n", ""))
    with pytest.raises(ConfigError, match="'accept' is missing"):
        load(file)
