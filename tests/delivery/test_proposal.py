"""What is proposed to a destination, from what waits for it."""

import pytest

from router.delivery.proposal import propose

from .site import CT, EXPLICIT, IMPLICIT, JPEG_LS, MR

BIG_ENDIAN = "1.2.840.10008.1.2.2"
J2K = "1.2.840.10008.1.2.4.90"
NATIVE = [(CT, [EXPLICIT]), (CT, [IMPLICIT])]


@pytest.mark.parametrize(
    ("first", "others", "contexts"),
    [
        ((CT, JPEG_LS), [], [(CT, [JPEG_LS]), *NATIVE]),
        ((CT, EXPLICIT), [], NATIVE),
        ((CT, IMPLICIT), [], [(CT, [IMPLICIT]), (CT, [EXPLICIT])]),
        ((CT, BIG_ENDIAN), [], [(CT, [BIG_ENDIAN]), *NATIVE]),
        ((CT, EXPLICIT), [(CT, IMPLICIT), (CT, EXPLICIT)], NATIVE),
        (
            (CT, EXPLICIT),
            [(MR, JPEG_LS)],
            [*NATIVE, (MR, [JPEG_LS]), (MR, [EXPLICIT]), (MR, [IMPLICIT])],
        ),
    ],
)
def test_each_kind_has_a_context_of_its_own_and_those_every_peer_takes(first, others, contexts):
    proposed, found = propose(first, others)
    assert found == contexts
    assert proposed == {first, *others}


def test_what_the_destination_is_to_be_sent_is_proposed_besides():
    _, found = propose((CT, JPEG_LS), [], (J2K, EXPLICIT))
    assert found == [(CT, [JPEG_LS]), (CT, [J2K]), *NATIVE]


@pytest.mark.parametrize("syntax", [EXPLICIT, JPEG_LS])
def test_no_more_than_128_contexts_with_the_first_kind_surely_among_them(syntax):
    kinds = [(f"1.2.{number}", syntax) for number in range(300)]
    first = ("9.9.9", syntax)
    proposed, contexts = propose(first, kinds)
    assert first in proposed
    assert contexts[0] == (first[0], [syntax])
    assert 125 < len(contexts) <= 128
    assert {(sop_class, syntaxes[0]) for sop_class, syntaxes in contexts} >= proposed
