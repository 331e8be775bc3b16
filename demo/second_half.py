"""From the first answers to the terminated file: everything that people do once the notices are out."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from demo import closing, desk_work, goods, quality_work, widening
from demo.embedded import Embedded
from demo.office import Office
from demo.recipients import Recipients
from demo.story import ImportStep, Story
from demo.truth import LotKey

ON_CALL = "oncall@maker.example"
"""Address of whoever is paged when harm is reported."""


class SecondHalf:
    """The rest of the story; `run` plays it and returns the dossier."""

    def __init__(
        self,
        stack: Embedded,
        story: Story,
        office: Office,
        recipients: Recipients,
        actions: Mapping[str, str],
        load: Callable[[ImportStep], None],
    ) -> None:
        self.stack, self.story, self.office = stack, story, office
        self.recipients, self.actions, self.load = recipients, actions, load
        self._lots: dict[int, LotKey] = {}

    def run(self) -> Path:
        """Play everything to the terminated recall.

        Raises:
            DemoError: something did not come as the story needs it.
        """
        office = self.office
        other, shared = goods.second_recall(office, self.lot_of)
        self._widen()
        self._hear_everybody()
        quality_work.report_harm(office, self.actions)
        self._check_effectiveness()
        quality_work.investigate(office)
        office.phase("resolution")
        closing.refused_while_open(office)
        goods.release_shared_lot(office, other, shared, self.lot_of)
        for step in self.story.arrivals:
            self.load(step)
        goods.take_returns(office, self.lot_of)
        goods.destroy_everything_else(office, self.lot_of)
        goods.book_costs(office)
        for step in self.story.fresh_stock:
            self.load(step)
        goods.supply_sites_left_short(office)
        quality_work.verify_effect(office)
        closing.submit_reports(office)
        desk_work.ask_carriers(office)
        desk_work.settle_tasks(office)
        desk_work.count_patients(office)
        closing.sign_unaccounted(office)
        closing.complete(office)
        return closing.file_the_dossier(self.stack, office)

    def lot_of(self, record: Any) -> LotKey:
        """Product, number and site of the lot a record names by its id."""
        if record["lot_id"] not in self._lots:
            page = self.office.get("/trace")
            items = list(page["lots"]["items"])
            while page["lots"]["next_cursor"]:
                page = self.office.get("/trace", cursor=page["lots"]["next_cursor"])
                items += page["lots"]["items"]
            self._lots = {lot["lot_id"]: (lot["product_code"], lot["number"], lot["site_code"] or "") for lot in items}
        return self._lots[record["lot_id"]]

    def _widen(self) -> None:
        self.story.widened = True
        again = set(self.story.wider.received)
        widening.widen(self.office, self.story.wider.scope, self.actions)
        self._answer_again(again)
        self.office.say(f"the {len(again)} sites that got lots of the wider scope answered for all of their lots again")

    def _hear_everybody(self) -> None:
        silent = set(self.story.cast.silent)
        desk_work.telephone_for_quantities(self.office, self.story.books, self.lot_of, silent)
        desk_work.chase_the_silent(self.office, silent)
        desk_work.ask_carriers(self.office)
        desk_work.settle_tasks(self.office)
        desk_work.count_patients(self.office)

    def _check_effectiveness(self) -> None:
        failed = quality_work.check_effectiveness(self.office)
        if failed is not None:
            self._answer_again({failed})
            desk_work.telephone_for_quantities(self.office, self.story.books, self.lot_of, set(self.story.cast.silent))
        quality_work.check_again(self.office)

    def _answer_again(self, sites: set[str]) -> None:
        """Let these sites answer, once they are asked again, until the recall counts them.

        An answer to an older message that was still unread does not count: whoever gave it answers the next one, too.
        """
        sites = sites - self.story.cast.silent
        desk_work.until_asked_again(self.office, sites)
        self.recipients.expect_again(sites)

        def done() -> bool | None:
            self.recipients.look()
            self.stack.check_alive()
            missing, still_open = set(self.recipients.missing()), desk_work.open_sites(self.office, sites)
            self.recipients.listen_again(still_open - missing)
            return None if missing or still_open else True

        self.office.wait("the sites asked again to answer", done)
