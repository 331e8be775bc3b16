"""What releases and destructions rest on: inspections, the eyes of the authority, devices that are evidence of harm."""

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from activities.policies import PolicyStore
from db.repositories import holds, inspections, recalls, samples, supervision
from db.repositories.disposal_refusals import DisposalRefused
from db.repositories.disposition_positions import Which, positions
from db.repositories.inspections import Inspected
from db.repositories.samples import Sample
from db.repositories.supervision import Step
from domain.disposition import DispositionKind as K
from domain.policy_disposition import InspectionKind, SupervisionStep
from models.disposition import RetainedSample
from tests.disposition.conftest import NOW, NUMBER, OTHER, D, Disposals, who

pytestmark = pytest.mark.db
POLICIES = PolicyStore.load(Path(__file__).parents[2] / "policies")


class Proof:
    """The yard under a policy, and short ways to record what it asks for."""

    def __init__(self, disposals: Disposals) -> None:
        self.disposals, self.yard = disposals, disposals.yard

    async def under(self, policy: str, **facts: Any) -> None:
        """Pin a shipped profile; `facts` as the recall's record says them."""
        found = POLICIES.shipped(policy, NOW.date())
        assert found is not None
        async with self.yard.sessions.begin() as session:
            await recalls.pin(session, NUMBER, [found], NOW)
        if facts:
            named = ", ".join(f'"{name}": {str(value).lower()}' for name, value in facts.items())
            self.yard.run("UPDATE recall SET facts = CAST(%s AS jsonb)", f'{{"facts": {{{named}}}}}')

    async def inspect(
        self, kind: str, *, passed: bool, place: int | None = None, day: int = 0, number: str = NUMBER
    ) -> None:
        """An inspection of the yard's lot."""
        stated = Inspected(
            self.yard.lot,
            place,
            InspectionKind(kind),
            passed,
            "burst pressure, 3 bar",
            D(5),
            f"LAB-{kind}-{day}",
            "Dr. Li",
            NOW - timedelta(days=9 - day),
            (await self.disposals.file(),),
        )
        async with self.yard.sessions.begin() as session:
            await inspections.record(session, number, stated, who("Quinn"))

    async def step(self, step: str, *, at: int = -1, policy: str = "cn-nmpa") -> None:
        """A step with the authority, `at` hours from now."""
        stated = Step(
            policy,
            SupervisionStep(step),
            NOW + timedelta(hours=at),
            "Provincial MPA",
            "No. 12",
            None,
            (await self.disposals.file(),),
        )
        async with self.yard.sessions.begin() as session:
            await supervision.record(session, NUMBER, stated, who("Rafael", "regulatory"))

    def country(self, code: str | None) -> None:
        """Where every place lies."""
        self.yard.run("UPDATE partner SET country = %s", code)

    def complaint(self, consignee: int, *, severity: str = "serious", lot: int | None = None) -> None:
        """Harm reported by a consignee, as the recall has taken it up."""
        self.yard.run(
            "INSERT INTO complaint (recall_number, sequence, consignee_id, lot_id, source, awareness_at, severity, "
            "description, state, recorded_by, recorded_at, taken_up_at) "
            "VALUES (%s, 1, %s, %s, 'staff', %s, %s, 'burst', 'open', 'Quinn', %s, %s)",
            NUMBER, consignee, lot, NOW, severity, NOW, NOW,
        )  # fmt: skip
        self.yard.run(
            "INSERT INTO deadline (recall_number, name, jurisdiction, clock, limit_text, basis, source, policy_due_at, "
            "due_at, role, complaint_id) SELECT %s, 'harm_report_serious:1', 'eu-mdr', 'harm_awareness:1', '15 cd', "
            "'law', 'MDR Art. 87(3)', %s, %s, 'regulatory', id FROM complaint",
            NUMBER, NOW, NOW,
        )  # fmt: skip

    def told(self) -> None:
        """The report of the harm is submitted."""
        self.yard.run("UPDATE deadline SET met_at = %s, met_by = 'Rafael'", NOW)

    async def retain(self, quantity: int, complaint: int | None, number: str = NUMBER) -> RetainedSample:
        """A sample at the warehouse."""
        file = await self.disposals.file()
        sample = Sample(self.yard.lot, self.disposals.place, D(quantity), (file,), complaint)
        async with self.yard.sessions.begin() as session:
            return await samples.retain(session, number, sample, who("Quinn"))

    async def settle(self, sample: RetainedSample, number: str = NUMBER) -> RetainedSample:
        """The authority's answer about it."""
        async with self.yard.sessions.begin() as session:
            return await samples.settle(session, number, sample.id or 0, "BfArM 7", who("Rafael", "regulatory"))


@pytest.fixture
def proof(disposals: Disposals) -> Proof:
    return Proof(disposals)


async def _refused(proof: Proof, found: Any, quantity: float, words: Sequence[str], **facts: Any) -> None:
    with pytest.raises(DisposalRefused) as refused:
        await proof.disposals.carry_out(found, quantity, **facts)
    assert all(word in refused.value.detail for word in words), refused.value.detail


async def test_a_release_waits_for_the_inspections_its_policy_asks_for_passed_and_of_this_place(proof: Proof) -> None:
    await proof.under("eu-mdr", sterile=True)
    found = await proof.disposals.propose(K.release, 40)
    with pytest.raises(DisposalRefused, match="no laboratory inspection is on record"):
        await proof.disposals.approve(found)
    await proof.inspect("laboratory", passed=True, place=proof.yard.carrier)
    with pytest.raises(DisposalRefused, match="no laboratory inspection is on record"):
        await proof.disposals.approve(found)
    await proof.inspect("laboratory", passed=True, day=1)
    await proof.disposals.approve(found, "Hedda", ("head_of_quality",))
    await proof.disposals.approve(found)
    await proof.disposals.carry_out(found, 10)
    await proof.inspect("laboratory", passed=False, day=2)
    await _refused(proof, found, 10, ["laboratory inspection failed (LAB-laboratory-2)"])
    await proof.inspect("laboratory", passed=True, place=proof.disposals.place, day=3)
    await proof.inspect("visual", passed=False, day=3)
    await _refused(proof, found, 10, ["visual inspection failed"])
    await proof.inspect("visual", passed=True, day=4)
    await proof.disposals.carry_out(found, 30)
    assert proof.yard.stock() == (D(100), D(0), D(60))
    assert proof.disposals.broken() == []


async def test_a_release_without_any_file_is_refused(proof: Proof) -> None:
    found = await proof.disposals.approved(K.release, 5)
    await _refused(proof, found, 5, ["at least one evidence file"], evidence_ids=())
    assert proof.yard.stock() == (D(100), D(0), D(100))


async def test_a_destruction_in_china_waits_for_notice_appointment_and_the_authoritys_witness(proof: Proof) -> None:
    await proof.under("cn-nmpa")
    proof.country("CN")
    found = await proof.disposals.approved(K.destroy, 40)
    await _refused(proof, found, 10, ["told to the authority", "an appointment", "authority_witness"])
    await proof.step("told")
    await proof.step("appointment", at=72)
    await _refused(proof, found, 10, ["an appointment that has come"], authority_witness="Officer Wang, MPA")
    await proof.step("appointment", at=-1)
    await _refused(proof, found, 10, ["name and office of who watched"])
    await _refused(proof, found, 10, ["another person than our own witness"], authority_witness=" wilma ")
    _, part = await proof.disposals.carry_out(found, 10, authority_witness="Officer Wang, MPA")
    assert (part.witness, part.authority_witness) == ("Wilma", "Officer Wang, MPA")
    audited = (
        "SELECT data ->> 'witness', data ->> 'authority_witness', data::text ~ 'Wang|Wilma' FROM audit_event"
        " WHERE action = 'disposition.executed'"
    )
    assert proof.yard.rows(audited) == [(*[f"disposition_part:{part.id}"] * 2, False)]
    assert proof.yard.stock() == (D(90), D(0), D(90))


async def test_a_destruction_planned_after_the_appointment_is_told_and_appointed_anew(proof: Proof) -> None:
    await proof.under("cn-nmpa")
    proof.country("CN")
    first = await proof.disposals.approved(K.destroy, 40)
    for step in ("told", "appointment"):
        await proof.step(step)
    await proof.disposals.carry_out(first, 10, authority_witness="Officer Wang, MPA")
    later = await proof.disposals.approved(K.destroy, 20)
    both = ["told to the authority", "an appointment that has come"]
    await _refused(proof, later, 20, both, authority_witness="Officer Wang, MPA")
    for step in ("told", "appointment"):
        await proof.step(step)
    await proof.disposals.carry_out(later, 20, authority_witness="Officer Wang, MPA")
    await proof.disposals.carry_out(first, 30, authority_witness="Officer Wang, MPA")


async def test_the_authority_may_waive_in_writing_and_watches_only_where_its_law_holds(proof: Proof) -> None:
    await proof.under("cn-nmpa")
    proof.country("DE")
    found = await proof.disposals.approved(K.destroy, 40)
    await proof.disposals.carry_out(found, 5)
    proof.country(None)
    await _refused(proof, found, 5, ["told to the authority"])
    with pytest.raises(DisposalRefused, match="a policy that wants to watch destructions: cn-nmpa"):
        await proof.step("waiver", policy="eu-mdr")
    await proof.step("waiver")
    await proof.disposals.carry_out(found, 5)
    assert proof.yard.stock() == (D(90), D(0), D(90))
    actions = proof.disposals.actions()
    assert actions.count("destruction.supervision") == 1


@pytest.mark.parametrize("kind", [K.destroy, K.rework, K.return_to_factory, K.release])
async def test_what_came_back_after_serious_harm_stays_untouched_until_the_authority_was_told(
    proof: Proof, kind: K
) -> None:
    clinic = proof.disposals.consignee()
    await proof.disposals.count_in(clinic, 3)
    found = await proof.disposals.approved(kind, 103)
    proof.complaint(clinic)
    async with proof.yard.sessions() as session:
        (open_there,) = await positions(session, NUMBER, Which(location_id=proof.disposals.place))
    assert open_there.retained == D(3)
    facts: dict[str, Any] = {}
    if kind is K.rework:
        from db.repositories.disposition_parts import ResultLotFacts

        facts["result_lot"] = ResultLotFacts("RW-1")
    if kind is K.return_to_factory:
        facts["destination_id"] = proof.yard.carrier
    await _refused(proof, found, 101, ["3 returned after serious harm"], **facts)
    await proof.disposals.carry_out(found, 100, **facts)
    proof.told()
    await proof.disposals.carry_out(found, 3, **facts)
    assert proof.disposals.broken() == []


async def test_a_consignee_sends_the_device_in_and_does_not_destroy_it(proof: Proof) -> None:
    clinic = proof.disposals.consignee(stated=20)
    destroy = await proof.disposals.approved(K.destroy, 5, consignee=clinic)
    coming = await proof.disposals.approved(K.return_to_us, 5, consignee=clinic)
    proof.complaint(clinic, lot=proof.yard.lot)
    await _refused(proof, destroy, 5, ["Complaint 1", "have them returned instead"])
    await proof.disposals.carry_out(coming, 5, location_id=proof.disposals.place)
    proof.told()
    await proof.disposals.carry_out(destroy, 5)


@pytest.mark.parametrize("linked", [1, None])
async def test_a_sample_of_an_untold_incident_is_not_settled(proof: Proof, linked: int | None) -> None:
    clinic = proof.disposals.consignee()
    proof.complaint(clinic, lot=None if linked else proof.yard.lot)
    sample = await proof.retain(2, linked)
    with pytest.raises(DisposalRefused, match="Complaint 1: the report to the authority is neither submitted"):
        await proof.settle(sample)
    proof.told()
    assert (await proof.settle(sample)).settled_by == "Rafael"


async def test_a_sample_names_a_complaint_of_its_recall(proof: Proof) -> None:
    with pytest.raises(DisposalRefused, match="the number of a complaint"):
        await proof.retain(2, 9)


async def test_harm_that_is_not_serious_keeps_nothing(proof: Proof) -> None:
    clinic = proof.disposals.consignee()
    proof.complaint(clinic, severity="other")
    found = await proof.disposals.approved(K.destroy, 5, consignee=clinic)
    await proof.disposals.carry_out(found, 5)


async def test_a_device_counted_in_under_another_recall_is_evidence_all_the_same(proof: Proof) -> None:
    disposals = proof.disposals
    await disposals.held(OTHER)
    clinic, same = disposals.consignee(), disposals.consignee(number=OTHER)
    away = disposals.consignee(number=OTHER, place=disposals.maker())
    await disposals.count_in(same, 3, number=OTHER)
    gone = await disposals.approved(K.destroy, 103, number=OTHER)
    there = await disposals.approved(K.destroy, 5, number=OTHER, consignee=same)
    elsewhere = await disposals.approved(K.destroy, 5, number=OTHER, consignee=away)
    proof.complaint(clinic)
    await _refused(proof, gone, 101, ["3 returned after serious harm"], number=OTHER)
    await _refused(proof, there, 5, [f"Complaint 1 of {NUMBER}"], number=OTHER)
    await disposals.carry_out(elsewhere, 2, number=OTHER)
    proof.yard.run("UPDATE complaint SET consignee_id = NULL, lot_id = %s", proof.yard.lot)
    await _refused(proof, gone, 101, ["3 returned after serious harm"], number=OTHER)
    await _refused(proof, elsewhere, 3, [f"Complaint 1 of {NUMBER}"], number=OTHER)
    sample = await proof.retain(2, None, number=OTHER)
    with pytest.raises(DisposalRefused, match=f"Complaint 1 of {NUMBER}"):
        await proof.settle(sample, number=OTHER)
    proof.yard.run("UPDATE recall SET drill = true WHERE number = %s", NUMBER)
    await disposals.carry_out(elsewhere, 1, number=OTHER)
    proof.yard.run("UPDATE recall SET drill = false")
    proof.told()
    await proof.settle(sample, number=OTHER)
    await disposals.carry_out(gone, 103, number=OTHER)
    await disposals.carry_out(there, 5, number=OTHER)


async def test_a_failure_under_one_recall_shuts_the_gate_of_every_recall_of_the_lot(proof: Proof) -> None:
    await proof.disposals.held(OTHER)
    found = await proof.disposals.approved(K.release, 40, number=OTHER)
    await proof.inspect("laboratory", passed=False, place=proof.yard.carrier, day=1)
    await proof.disposals.carry_out(found, 5, number=OTHER)
    await proof.inspect("laboratory", passed=False, day=2)
    await _refused(proof, found, 5, [f"inspection failed under {NUMBER} (LAB-laboratory-2)"], number=OTHER)
    await proof.inspect("laboratory", passed=True, day=1, number=OTHER)
    await _refused(proof, found, 5, [f"inspection failed under {NUMBER}"], number=OTHER)
    await proof.inspect("laboratory", passed=True, day=3, number=OTHER)
    await proof.disposals.carry_out(found, 5, number=OTHER)
    own = await proof.disposals.approved(K.destroy, 1)
    assert own.state == "approved"
    with pytest.raises(DisposalRefused, match=r"inspection failed \(LAB-laboratory-2\)"):
        await proof.disposals.approved(K.release, 1)


@pytest.mark.parametrize("decision", ["scrap", "rework", "return", "use_as_is"])
async def test_a_lot_quality_decided_about_leaves_its_nonconformity_hold_as_decided_only(
    proof: Proof, decision: str
) -> None:
    async with proof.yard.sessions.begin() as session:
        await holds.to_nonconformity(session, NUMBER, NOW)
    proof.yard.run("UPDATE recall SET phase = 'cancelled'")
    found = await proof.disposals.approved(K.release, 40)
    await proof.disposals.carry_out(found, 10)  # nothing is decided: the gate's own signatures are the decision
    proof.yard.run(
        "UPDATE nonconformity_lot SET disposition = %s, decided_by = 'Ada', justification = 'cracked'", decision
    )
    await _refused(proof, found, 10, [f"decides {decision}"])
    with pytest.raises(DisposalRefused, match=f"decides {decision}"):
        await proof.disposals.approved(K.release, 1)
    if decision == "use_as_is":
        proof.yard.run("UPDATE nonconformity_lot SET second_by = 'Hedda'")
    elif decision == "scrap":
        proof.yard.run("UPDATE nonconformity_lot SET taken_back_at = now()")
    else:
        proof.yard.run("UPDATE nonconformity SET state = 'closed'")
    await proof.disposals.carry_out(found, 30)
    assert proof.disposals.broken() == []
