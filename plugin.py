"""The one Temporal plugin: Pydantic payloads for clients, workers, replayers and tests alike."""

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin


def recall_plugin() -> SimplePlugin:
    """Plugin that `Client.connect(plugins=[...])` hands on to its workers; never pass it twice."""
    return SimplePlugin("recall", data_converter=pydantic_data_converter)
