"""An opt-out belongs to the number: a contact that is imported later with the same number has it, too."""

import pytest

from tests.imports.office import Office, counts
from tests.imports.test_masters import CONTACTS, PARTNERS, contact, partner

pytestmark = pytest.mark.db


async def test_an_imported_contact_has_the_opt_outs_of_its_number(office: Office) -> None:
    await office.load("partners", office.file([partner("P"), partner("Q")]), PARTNERS)
    await office.load("contacts", office.file([contact("P", 1)]), CONTACTS)
    office.sql(
        "UPDATE contact SET sms_opted_out_at = '2026-11-01T08:00:00Z', voice_opted_out_at = '2026-11-02T08:00:00Z'"
        " RETURNING id"
    )
    later = [
        contact("Q", 1, Name="Same telephone"),
        contact("Q", 2, Name="Another", Phone="+353 1 234 5679"),
        contact("Q", 3, Name="None", Phone="", Channels="email"),
    ]
    assert counts(await office.load("contacts", office.file(later), CONTACTS)) == (3, 3, 0, 0)
    assert office.sql(
        "SELECT name, sms_opted_out_at IS NOT NULL, voice_opted_out_at IS NOT NULL FROM contact"
        " WHERE name <> 'Pat Roe' ORDER BY position"
    ) == [("Same telephone", True, True), ("Another", False, False), ("None", False, False)]
