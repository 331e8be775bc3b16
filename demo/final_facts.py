"""What the product says at the end of a recall: its dossier, read as the zip file it is, and its HTTP API."""

import hashlib
import json
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from demo.facts import Facts, Reader
from demo.truth import LotKey

Row = dict[str, Any]


@dataclass
class Dossier:
    """The filed record: its tables by name, its evidence files, its audit chain."""

    tables: dict[str, list[Row]]
    contents: dict[str, str] = field(default_factory=dict)
    """Name in the archive -> SHA-256 of the bytes that are really there."""
    index: list[Row] = field(default_factory=list)
    """The evidence index."""
    audit: list[Row] = field(default_factory=list)
    sha256: str = ""
    """Of the whole file."""

    @classmethod
    def read(cls, path: Path) -> "Dossier":
        """Read a dossier.

        Raises:
            OSError, ValueError, KeyError: it cannot be read as one.
        """
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise ValueError(f"{path} is no zip file: {error}") from None
        with archive:
            contents = {name: archive.read(name) for name in archive.namelist()}
        tables = {
            name.removeprefix("record/").removesuffix(".json"): json.loads(content)
            for name, content in contents.items()
            if name.startswith("record/")
        }
        return cls(
            tables=tables,
            contents={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
            index=json.loads(contents["evidence/index.json"]),
            audit=[json.loads(line) for line in contents["audit/chain.jsonl"].splitlines() if line],
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
        )

    def rows(self, table: str) -> list[Row]:
        """Rows of a table.

        Raises:
            KeyError: the dossier has no such table.
        """
        return self.tables[table]

    @property
    def recall(self) -> Row:
        """The recall's own row."""
        return self.rows("recall")[0]

    @cached_property
    def lots(self) -> dict[int, LotKey]:
        """Lot id -> product, number, manufacturing site."""
        products = {row["id"]: row["code"] for row in self.rows("product")}
        found = {}
        for row in self.rows("lot"):
            found[row["id"]] = (products[row["product_id"]], row["number"], self.places.get(row["site_id"], ""))
        return found

    @cached_property
    def places(self) -> dict[int, str]:
        """Location id -> code."""
        return {row["id"]: row["code"] for row in self.rows("location")}

    @cached_property
    def ours(self) -> set[int]:
        """Ids of locations that are not a customer's."""
        return {row["id"] for row in self.rows("location") if row["custody"] != "customer"}

    @cached_property
    def consignees(self) -> dict[int, tuple[str, str]]:
        """Consignee id -> partner's code and name."""
        partners = {row["id"]: (row["code"], row["name"]) for row in self.rows("partner")}
        return {row["id"]: partners[row["partner_id"]] for row in self.rows("consignee")}

    def site(self, consignee_id: int, known: Iterable[str]) -> str:
        """How the truth calls a consignee: its code where the files know it, else its name."""
        code, name = self.consignees[consignee_id]
        return code if code in set(known) else name

    def proofs(self, subject: str) -> list[Row]:
        """Links of evidence files to one record."""
        return [row for row in self.rows("evidence_link") if row["subject"] == subject]


@dataclass
class FinalFacts:
    """Everything the final check compares with."""

    facts: Facts
    dossier: Dossier
    balance: list[Row]
    """Lots of the mass balance."""
    checklist: Row
    positions: list[Row]
    """Open positions of disposition."""
    obligations: list[Row]
    effectiveness: Row
    traced: list[Row]
    """What the trace says lies where."""
    second_holds: list[Row] = field(default_factory=list)
    """Holds of the other recalls of the story."""
    second_evidence: list[Row] = field(default_factory=list)


class FinalReader(Reader):
    """Reads the end with one person's token."""

    def read_end(self, number: str, dossier: Dossier, others: Iterable[str]) -> FinalFacts:
        """Everything about a recall and what the story's other recalls still hold.

        Raises:
            httpx.HTTPError: the product or a sink did not answer as it should.
        """
        base, named = f"/v1/recalls/{number}", list(dict.fromkeys(others))
        return FinalFacts(
            facts=self.read(number),
            dossier=dossier,
            balance=self._balance(f"{base}/mass-balance"),
            checklist=self._get(f"{base}/checklist"),
            positions=self._get(f"{base}/positions"),
            obligations=self._get(f"{base}/obligations"),
            effectiveness=self._get(f"{base}/effectiveness"),
            traced=self._traced(f"{base}/trace"),
            second_holds=[hold for other in named for hold in self._all(f"/v1/recalls/{other}/holds")],
            second_evidence=[file for other in named for file in self._get(f"/v1/recalls/{other}/evidence")],
        )

    def _balance(self, path: str) -> list[Row]:
        page = self._get(path)
        lots = list(page["lots"]["items"])
        while page["lots"]["next_cursor"]:
            page = self._get(path, cursor=page["lots"]["next_cursor"])
            lots += page["lots"]["items"]
        return lots

    def _traced(self, path: str) -> list[Row]:
        page = self._get(path)
        positions = list(page["positions"])
        while page["lots"]["next_cursor"]:
            page = self._get(path, cursor=page["lots"]["next_cursor"])
            positions += page["positions"]
        return positions
