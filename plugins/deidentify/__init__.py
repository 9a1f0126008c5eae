"""De-identifies by PS3.15 Annex E: the Basic Profile with any of its options.

`use: deidentify, options: {profile: basic, options: [clean_descriptors], secret: !file FILE}`
"""

from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from router import Context, ElementPath, Hold, Instance, Query, hookimpl, received

from .gate import check_leaks
from .identifiers import identifying_words
from .pixels import PixelRule, Rule, clean_pixels, keeps_document, read_rules
from .private import SafePrivate
from .profile import BASIC_PROFILE_CODE, CODES, FULL_DATES, MODIFIED_DATES, Action, Option, Profile
from .pseudonyms import Pseudonyms
from .querying import Asked, words_of
from .replacing import code
from .rewriting import Rewriting
from .surrogates import Surrogates

if TYPE_CHECKING:
    from .reversal import ReversalMap

_DOCUMENT = 0x00420011
_CLEAN_TEXT = frozenset(
    ("clean_descriptors", "clean_structured_content", "clean_graphics")
    + ("retain_patient_characteristics",)
)


class Deidentify:
    def __init__(
        self,
        secret: str,
        profile: Literal["basic"] = "basic",
        options: list[Option] = [],  # noqa: B006 - never changed
        pixels: list[Rule] = [],  # noqa: B006
        pseudonyms: Path | None = None,
        safe_private: list[ElementPath] = [],  # noqa: B006
        leak_gate: bool = True,
        reversible: bool = False,
        map: Path | None = None,  # noqa: A002 - the option's name
    ) -> None:
        chosen = set(options)
        _refuse_contradictions(chosen)
        if safe_private and "retain_safe_private" not in chosen:
            raise ValueError("safe_private lists what only the option retain_safe_private keeps")
        if map and not reversible:
            raise ValueError("a map is kept only with reversible: true")
        self._profile = Profile(chosen)
        self._surrogates = Surrogates(secret)
        self._rules: list[PixelRule] = read_rules(pixels)
        self._pseudonyms = Pseudonyms(pseudonyms) if pseudonyms else None
        self._safe = SafePrivate(safe_private) if "retain_safe_private" in chosen else None
        self._cleans = bool(chosen & _CLEAN_TEXT)
        self._leak_gate = leak_gate
        self._reversible = reversible
        self._map = _reversal_map(map, self._surrogates) if map else None

    @hookimpl
    def startup(self, context: Context) -> None:
        if self._surrogates.is_guessable:
            context.log.warning("the secret is short: who guesses it knows whose a pseudonym is")
        if self._reversible and self._map is None:
            self._map = _reversal_map(context.directory / "map.sqlite", self._surrogates)

    @hookimpl
    def rewrite_instance(self, instance: Instance) -> None:
        if self._reversible and self._map is None:
            raise Hold("reversible, and there is no map: startup was not called")
        dataset = instance.dataset
        keeps_it = keeps_document(instance, self._rules)
        cleaned = clean_pixels(instance, self._rules)
        patient = _patient(dataset)
        pseudonym = self._pseudonym(dataset, patient)
        kept = self._map.about(dataset) if self._map else None
        rewriting = Rewriting(
            self._profile,
            self._surrogates,
            self._safe,
            self._surrogates.days(patient),
            identifying_words(received(instance)) if self._cleans else (),
        )
        actions = self._profile.top_level(str(dataset.get("SOPClassUID", "")))
        rewriting.rewrite(dataset, actions | {_DOCUMENT: Action.KEEP} if keeps_it else actions)
        dataset.PatientName = dataset.PatientID = pseudonym
        if _DOCUMENT in dataset and "EncapsulatedDocumentLength" in dataset and not keeps_it:
            dataset.EncapsulatedDocumentLength = len(dataset.EncapsulatedDocument)
        if cleaned:
            dataset.BurnedInAnnotation = "NO"
        self._describe(dataset, cleaned)
        if self._map and kept:
            self._map.remember(dataset, kept, rewriting.uids)

    @hookimpl
    def rewrite_outgoing(self, instance: Instance) -> None:
        self.rewrite_instance(instance)
        self.verify_instance(instance)  # which nobody calls for a destination

    @hookimpl
    def rewrite_query(self, query: Query) -> None:
        Asked(self._profile, self._surrogates, self._map).translate(query)

    @hookimpl
    def rewrite_match(self, match: Dataset) -> None:
        patient, known = _patient(match), _text(match, "PatientID")
        pseudonym = self._pseudonym(match, patient) if known else ""
        about = self._map.about(match) if self._map else ""
        words = words_of(match) if self._cleans else ()
        days = self._surrogates.days(patient)
        rewriting = Rewriting(self._profile, self._surrogates, None, days, words)
        rewriting.rewrite(match, self._profile.everywhere)
        for keyword in ("PatientName", "PatientID"):
            if keyword in match:
                setattr(match, keyword, pseudonym)
        if self._map:
            self._map.remember_match(match, about, rewriting.uids)

    @hookimpl
    def verify_instance(self, instance: Instance) -> None:
        if self._leak_gate:
            check_leaks(instance, self._profile.options)

    def _pseudonym(self, dataset: Dataset, patient: str) -> str:
        if self._pseudonyms:
            return self._pseudonyms.of(_text(dataset, "PatientID"))
        return self._surrogates.pseudonym(patient)

    def _describe(self, dataset: Dataset, cleaned: bool) -> None:
        """Say what was done, beside what others say they did (PS3.15 E.1.1, PS3.3 C.7.1.1)."""
        options = self._profile.options
        done = options - {"clean_pixel_data"} | ({"clean_pixel_data"} if cleaned else set())
        before = _codes_of(dataset)
        codes = [
            value
            for value, (option, _) in CODES.items()
            if value == BASIC_PROFILE_CODE or option in done or value in before
        ]
        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = [CODES[value][1] for value in codes]
        dataset.DeidentificationMethodCodeSequence = Sequence(
            [code(value, "DCM", CODES[value][1]) for value in codes]
        )
        dates = {FULL_DATES: "UNMODIFIED", MODIFIED_DATES: "MODIFIED"}
        told = next((dates[option] for option in dates if option in options), "REMOVED")
        dataset.LongitudinalTemporalInformationModified = told


def _reversal_map(path: Path, surrogates: Surrogates) -> "ReversalMap":
    from .reversal import ReversalMap  # and cryptography, which few chains need

    return ReversalMap(path, surrogates)


def _refuse_contradictions(options: set[Option]) -> None:
    if "clean_recognizable_visual_features" in options:
        raise ValueError(
            "clean_recognizable_visual_features cannot be done here: it takes finding and "
            "removing faces in volumes, which no single instance shows; send through a defacer"
        )
    if {FULL_DATES, MODIFIED_DATES} <= options:
        raise ValueError(f"{FULL_DATES} and {MODIFIED_DATES} exclude each other: choose one")


def _patient(dataset: Dataset) -> str:
    """Whose instance it is, as one text.

    Without a Patient ID name and birth date have to do, without a name the study.
    """
    if patient_id := _text(dataset, "PatientID"):
        return patient_id
    if name := _text(dataset, "PatientName"):
        return f"{name}\0{_text(dataset, 'PatientBirthDate')}"
    return f"\0{_text(dataset, 'StudyInstanceUID')}"


def _text(dataset: Dataset, keyword: str) -> str:
    return str(dataset.get(keyword) or "").strip(" \0")


def _codes_of(dataset: Dataset) -> set[str]:
    """The methods an earlier de-identification has named."""
    items = dataset.get("DeidentificationMethodCodeSequence") or ()
    return {str(item.get("CodeValue", "")) for item in items}
