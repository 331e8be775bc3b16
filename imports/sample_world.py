"""The cast of the sample chain: products with package levels, partners with locations, contacts. All made up.

Codes are stable whatever the seed; GTINs come from GS1's prefixes for restricted circulation, mail addresses from
`.example`.
"""

from dataclasses import dataclass
from random import Random


@dataclass(frozen=True)
class Product:
    """A trade item; `per_box` units of use in a box."""

    code: str
    name: str
    family: str
    brand: str
    unit: str
    per_box: int
    device_class: str
    sterile: bool
    gtin: str


@dataclass(frozen=True)
class Place:
    """A partner with its one location; both have the same code."""

    code: str
    name: str
    kind: str
    custody: str
    country: str
    region: str
    language: str
    time_zone: str


def gtin(serial: int) -> str:
    """A GTIN-14 with a right check digit."""
    body = f"00400000{serial:05d}"
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return body + str(-weighted % 10)


def _product(serial: int, code: str, name: str, family: str, brand: str, unit: str, per_box: int, cls: str) -> Product:
    return Product(code, name, family, brand, unit, per_box, cls, sterile=cls == "IIa", gtin=gtin(serial))


RAW = (
    _product(1, "RM-ANTIBODY", "Monoclonal antibody, bulk", "raw materials", "", "mg", 100, ""),
    _product(2, "RM-MEMBRANE", "Nitrocellulose membrane", "raw materials", "", "m", 50, ""),
    _product(3, "RM-RESIN", "Polycarbonate resin, medical grade", "raw materials", "", "kg", 25, ""),
)
BULK = (
    _product(11, "WIP-STRIP", "Test strip, uncut card", "work in progress", "", "card", 20, ""),
    _product(12, "WIP-TUBING", "Infusion tubing, extruded", "work in progress", "", "m", 100, ""),
)
FINISHED = (
    _product(21, "KIT-RT20", "Rapid antigen test kit, 20 tests", "rapid tests", "SampleCheck", "kit", 10, "IIb"),
    _product(22, "KIT-RT5", "Rapid antigen test kit, 5 tests", "rapid tests", "SampleCheck", "kit", 24, "IIb"),
    _product(23, "SET-INF", "Infusion set with filter, sterile", "infusion sets", "SampleFlow", "set", 50, "IIa"),
)
PRODUCTS = RAW + BULK + FINISHED

SUPPLIERS = (
    Place("SUP-BIO", "Sample Biologics GmbH", "supplier", "customer", "DE", "Hessen", "en", "Europe/Berlin"),
    Place("SUP-MEM", "Sample Membranes Inc.", "supplier", "customer", "US", "Massachusetts", "en", "America/New_York"),
    Place("SUP-RES", "示例树脂有限公司", "supplier", "customer", "CN", "江苏", "zh-CN", "Asia/Shanghai"),
)
SITES = (
    Place("MFG-CORK", "Cork plant", "manufacturer", "own", "IE", "Munster", "en", "Europe/Dublin"),
    Place("MFG-SUZHOU", "苏州工厂", "manufacturer", "own", "CN", "江苏", "zh-CN", "Asia/Shanghai"),
)
WAREHOUSES = (
    Place("WH-DUBLIN", "Dublin warehouse", "warehouse", "own", "IE", "Leinster", "en", "Europe/Dublin"),
    Place("WH-SHANGHAI", "上海仓库", "warehouse", "own", "CN", "上海", "zh-CN", "Asia/Shanghai"),
    Place("WH-OLD", "Rotterdam overflow store", "warehouse", "own", "NL", "Zuid-Holland", "en", "Europe/Amsterdam"),
)
LOGISTICS = Place("3PL-MEMPHIS", "Sample Freight hub", "logistics", "logistics", "US", "TN", "en", "America/Chicago")
DISTRIBUTORS = (
    Place("DIS-UK", "Sample Medical Supply Ltd", "distributor", "customer", "GB", "London", "en", "Europe/London"),
    Place("DIS-US", "Sample Health Distribution", "distributor", "customer", "US", "Ohio", "en", "America/New_York"),
    Place("DIS-CN", "示例医药有限公司", "distributor", "customer", "CN", "上海", "zh-CN", "Asia/Shanghai"),
    Place("DIS-KE", "Sample Pharma Kenya", "distributor", "customer", "KE", "Nairobi", "en", "Africa/Nairobi"),
)
AUTHORITY = Place("REG-SAMPLE", "Sample medicines agency", "regulator", "customer", "IE", "", "en", "Europe/Dublin")

_TOWNS = {
    "DIS-UK": ("GB", "en", "Europe/London", ("Leeds", "Bristol", "Cardiff", "Glasgow", "Derby", "York")),
    "DIS-US": ("US", "en", "America/New_York", ("Akron", "Toledo", "Dayton", "Canton", "Lima", "Xenia")),
    "DIS-CN": ("CN", "zh-CN", "Asia/Shanghai", ("苏州", "无锡", "杭州", "宁波", "南京", "常州")),
    "DIS-KE": ("KE", "en", "Africa/Nairobi", ("Nakuru", "Kisumu", "Thika", "Eldoret", "Nyeri", "Kitale")),
}


def hospitals(count: int) -> dict[str, list[Place]]:
    """Hospitals by the distributor that serves them, `count` in all."""
    served: dict[str, list[Place]] = {code: [] for code in _TOWNS}
    for number in range(count):
        distributor = list(_TOWNS)[number % len(_TOWNS)]
        country, language, zone, towns = _TOWNS[distributor]
        turn = number // len(_TOWNS)
        town = towns[turn % len(towns)]
        ward = turn // len(towns) + 1
        name = f"{town}第{ward}人民医院" if language == "zh-CN" else f"{town} General Hospital {ward}"
        code = f"HOS-{country}-{turn + 1:03d}"
        served[distributor].append(Place(code, name, "hospital", "customer", country, town, language, zone))
    return served


_US_AREAS = ("202", "212", "213", "305", "312", "404", "415", "503", "602", "702")


def _phone(country: str, number: int) -> str:
    """A number no two contacts share; British and American ones come from the ranges kept free for fiction."""
    if country == "GB":
        return f"+447700900{number:03d}"
    if country == "CN":
        return f"+86199{number:08d}"
    if country == "KE":
        return f"+254700{number:06d}"
    return f"+1{_US_AREAS[number // 100]}55501{number % 100:02d}"


_ENGLISH = ("Alex Reed", "Sam Doyle", "Robin Hayes", "Jo Carter", "Kim Otieno", "Pat Novak")
_CHINESE = ("王敏", "李强", "张伟", "刘洋", "陈静", "赵磊")


def contacts(places: list[Place], random: Random) -> list[dict[str, str]]:
    """Two contacts per distributor and hospital: a recall desk by mail and SMS, and a second one by mail or SMS."""
    found = []
    for number, place in enumerate(places):
        names = _CHINESE if place.language == "zh-CN" else _ENGLISH
        for position, (role, channels) in enumerate(
            (("Recall coordinator", "email;sms"), ("Chief pharmacist", random.choice(("email", "sms")))), start=1
        ):
            found.append(
                {
                    "Partner": place.code,
                    "Order": str(position),
                    "Name": names[(number + position) % len(names)],
                    "Role": role,
                    "Mail": f"contact{position}@{place.code.lower()}.example" if "email" in channels else "",
                    "Phone": _phone(place.country, number * 2 + position) if "sms" in channels else "",
                    "Channels": channels,
                }
            )
    return found
