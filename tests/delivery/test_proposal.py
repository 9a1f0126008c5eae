"""What is proposed to a destination, from what waits for it."""

import pytest

from router.delivery.proposal import propose

from .site import CT, EXPLICIT, IMPLICIT, JPEG_LS, MR

BIG_ENDIAN = "1.2.840.10008.1.2.2"
NATIVE = [(CT, [EXPLICIT]), (CT, [IMPLICIT])]


@pytest.mark.parametrize(
    ("first", "others", "contexts"),
    [
        ((CT, JPEG_LS), [], [(CT, [JPEG_LS])]),
        ((CT, EXPLICIT), [], NATIVE),
        ((CT, IMPLICIT), [], [(CT, [IMPLICIT]), (CT, [EXPLICIT])]),
        ((CT, BIG_ENDIAN), [], [(CT, [BIG_ENDIAN]), *NATIVE]),
        ((CT, EXPLICIT), [(CT, IMPLICIT), (CT, EXPLICIT)], NATIVE),
        ((CT, EXPLICIT), [(MR, JPEG_LS)], [*NATIVE, (MR, [JPEG_LS])]),
    ],
)
def test_each_kind_has_a_context_of_its_own_and_native_ones_those_every_peer_takes(
    first, others, contexts
):
    proposed, found = propose(first, others)
    assert found == contexts
    assert proposed == {first, *others}


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG_LS])
def test_no_more_than_128_contexts_with_the_first_kind_surely_among_them(syntax):
    kinds = [(f"1.2.{number}", syntax) for number in range(300)]
    first = ("9.9.9", syntax)
    proposed, contexts = propose(first, kinds)
    assert first in proposed
    assert contexts[0] == (first[0], [syntax])
    assert len(contexts) == 128
    assert {(sop_class, syntaxes[0]) for sop_class, syntaxes in contexts} >= proposed
