"""Configurations in several files."""


def write(folder, **texts):
    for name, text in texts.items():
        (folder / f"{name}.yaml").write_text(text)


def test_sections_merge_by_key_and_lists_grow_in_name_order(configured, tmp_path):
    write(
        tmp_path,
        r2="routes: [{name: two, to: b}]\ndestinations: {b: {type: folder, directory: b}}",
        r1="routes: [{name: one, to: a}]\nspool: {retain: 2 h}",
    )
    config = configured(
        "include: [r*.yaml]\n"
        "spool: {directory: elsewhere}\n"
        "destinations: {a: {type: folder, directory: a}}\n"
        "routes: [{name: zero, to: [a, b]}]\n"
    )
    assert [route.name for route in config.routes] == ["zero", "one", "two"]
    assert list(config.destinations) == ["a", "b"]
    assert (config.spool.directory, config.spool.retain) == (tmp_path / "elsewhere", 7200)


def test_paths_in_an_included_file_are_relative_to_the_main_one(configured, tmp_path):
    (tmp_path / "routes.d").mkdir()
    write(tmp_path / "routes.d", a="destinations: {a: {type: folder, directory: a}}")
    assert configured("include: routes.d/*.yaml").destinations["a"].directory == tmp_path / "a"


def test_a_mistake_names_the_file_it_is_in(mistakes, tmp_path):
    (tmp_path / "routes.d").mkdir()
    write(tmp_path / "routes.d", a="timezone: Mars", b="timezone: UTC\nlogging: [")
    found = mistakes("include: routes.d/*.yaml")
    assert found == [
        "routes.d/a.yaml:1:11: timezone: unknown time zone 'Mars'",
        "routes.d/b.yaml:2:11: the file ends inside a bracket",
    ]


def test_a_key_in_two_files_names_both(mistakes, tmp_path):
    write(tmp_path, a="timezone: UTC")
    assert mistakes("include: a.yaml\ntimezone: UTC") == [
        "a.yaml:1:1: timezone: defined twice, first at config.yaml:2:1"
    ]


def test_a_pattern_may_match_nothing_but_a_name_must_exist(mistakes, configured):
    configured("include: [routes.d/*.yaml]")
    assert mistakes("include: [routes.d/a.yaml]") == [
        "config.yaml:1:11: include[0]: there is no file routes.d/a.yaml"
    ]
