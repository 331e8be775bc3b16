"""Days off where a recipient is: the weekend and the nationwide holidays of its country, from the library `holidays`.

Its weekends follow the country (Friday and Saturday in some), and it knows make-up days as announced. For courtesy
only: legal time limits are counted by `domain.calendars`. Used from activities, not from workflow code.
"""

from collections.abc import Callable
from datetime import date
from functools import lru_cache

import holidays

_SATURDAY = 5


@lru_cache(maxsize=300)
def day_off_in(country: str) -> Callable[[date], bool]:
    """Tells of a day whether it is off in the country (ISO 3166-1); an unknown one has Saturday and Sunday."""
    if country not in holidays.list_supported_countries():
        return lambda day: day.weekday() >= _SATURDAY
    table = holidays.country_holidays(country)
    return lambda day: not table.is_working_day(day)


__all__ = ["day_off_in"]
