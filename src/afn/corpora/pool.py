"""Several corpora as one.

    kind: pool
    name: mixed
    members: [digits, simulated]

The ids and speakers of a member get its name as a prefix, so that they stay unique. The condition `corpus` names the
member; the other columns are those of all members, `-` where a member does not have one.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from afn.common import config
from afn.common.errors import UserError
from afn.common.labels import SUBSETS
from afn.common.paths import ROOT, user_path
from afn.corpora import datadir
from afn.corpora.asvspoof2017 import ASVspoof2017
from afn.corpora.asvspoof2019_pa import ASVspoof2019PA
from afn.corpora.asvspoof2021_pa import ASVspoof2021PA
from afn.corpora.datadir import Utterance
from afn.corpora.digits import Digits
from afn.corpora.kind import CorpusKind, Say
from afn.corpora.own import OwnCorpus
from afn.corpora.remasc import ReMASC
from afn.corpora.simulation.randomised import Randomised
from afn.corpora.simulation.simulated import Simulated

Member = ASVspoof2017 | ASVspoof2019PA | ASVspoof2021PA | ReMASC | Digits | OwnCorpus | Simulated | Randomised


class Pool(CorpusKind):
    """The subsets of several corpora, joined."""

    kind: Literal["pool"]
    members: Annotated[list[str], Field(min_length=1)] = Field(
        description="corpora: names in conf/corpora, or paths of YAMLs, relative to the repository"
    )

    def corpora(self) -> dict[str, Member]:
        """The members by name. Raises UserError for a YAML that cannot be used, and for two of one name."""
        found: dict[str, Member] = {}
        for member in self.members:
            path = user_path(member) if member.endswith(".yaml") else ROOT / "conf" / "corpora" / f"{member}.yaml"
            if config.read(path).get("kind") == "pool":
                raise UserError(f"{path}: is itself a pool. Name its members instead.")
            corpus: Member = config.load(Member, path)
            if corpus.name in found or corpus.name == self.name:
                raise UserError(f"corpus.members: {member}: a second corpus with the name {corpus.name}. Rename one.")
            found[corpus.name] = corpus
        return found

    def inputs(self) -> dict[str, Path]:
        return {f"{name}.{key}": path for name, of in self.corpora().items() for key, path in of.inputs().items()}

    def names_of_subsets(self) -> list[str]:
        names = {subset for corpus in self.corpora().values() for subset in corpus.names_of_subsets()}
        return [subset for subset in SUBSETS if subset in names]

    def identity(self) -> dict[str, Any]:
        members = {name: corpus.identity() for name, corpus in self.corpora().items()}
        return {"kind": self.kind, "name": self.name, "members": members}

    def utterances(self, directory: Path, *, say: Say = print, **options: Any) -> dict[str, list[Utterance]]:
        found: dict[tuple[str, str], list[Utterance]] = {}
        for name, corpus in self.corpora().items():
            # What a member makes itself, as simulated recordings, is where its own stage -2 expects it.
            said = partial(_say_of, say, name)
            for subset, listed in corpus.utterances(directory.parent / name, say=said, **options).items():
                found[subset, name] = [_prefixed(name, utterance) for utterance in listed]
        in_order = sorted(found, key=lambda key: SUBSETS.index(key[0]))
        united = datadir.same_conditions({key: found[key] for key in in_order})
        return {
            subset: [u for (of, _), listed in united.items() if of == subset for u in listed]
            for subset in dict.fromkeys(subset for subset, _ in in_order)
        }


def _say_of(say: Say, name: str, text: str) -> None:
    say(f"{name}: {text}")


def _prefixed(name: str, u: Utterance) -> Utterance:
    conditions = {"corpus": name, **u.conditions}
    return replace(u, utt=f"{name}-{u.utt}", speaker=f"{name}-{u.speaker}", conditions=conditions)
