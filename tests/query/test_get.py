"""C-GET through the router: over an archive that has C-GET, and over one that only moves."""

import pytest

from tests.story.sending import content, generate

from .peers import getscu
from .test_move import real_site, uid_of  # noqa: F401


@pytest.mark.parametrize("query", ["", ", query: {retrieve: get}"], ids=["move", "get"])
def test_a_study_is_had_by_c_get_whatever_the_archive_offers(real_site, tmp_path, query):  # noqa: F811
    port, pacs, _ = real_site(query=query)
    files = generate(tmp_path / "in", 5)
    pacs.fill(*files, *generate(tmp_path / "other", 2))
    got = tmp_path / "got"
    answer = getscu(got, port, "QueryRetrieveLevel=STUDY", f"StudyInstanceUID={uid_of(files[0])}")
    assert answer.status == 0
    assert answer.counts() == {"remaining": 0, "completed": 5, "failed": 0, "warning": 0}
    assert sorted(map(content, got.iterdir())) == sorted(map(content, files))
