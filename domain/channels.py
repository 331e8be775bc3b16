"""Channels by which a notice reaches a recipient. Adding one means one member here and one adapter."""

from enum import StrEnum


class Channel(StrEnum):
    """The value is what the database, the URLs and the template names carry."""

    EMAIL = "email"
    SMS = "sms"
