"""Small settings as files write them: the price, what makes texts cheaper, and where each key stands."""

from __future__ import annotations

from decimal import Decimal

from smsby_deploy.config.campaign_files import PROJECT_FILE
from smsby_deploy.config.declarations import Price, Rewrite
from smsby_deploy.config.yaml_nodes import YamlMap
from smsby_deploy.problems import Location


def read_price(node: YamlMap) -> Price:
    """What a part costs; of the prices by prefix the longest prefix comes first."""
    prefixes = node.get("per_prefix") or {}
    longest_first = sorted(prefixes, key=lambda prefix: (-len(prefix), prefix))
    prices = tuple((prefix, Decimal(str(prefixes[prefix]))) for prefix in longest_first)
    return Price(node["currency"], Decimal(str(node["per_part"])), prices)


def read_rewrite(node: YamlMap) -> Rewrite:
    """How a mailing's texts are made cheaper."""
    return Rewrite(node.get("smart_encoding", False), node.get("transliterate", False))


def key_locations(node: YamlMap, prefix: str) -> list[tuple[str, Location]]:
    """Where each key of smsby.yaml stands, by its dotted name."""
    found = []
    for key, value in node.items():
        found.append((prefix + key, Location(PROJECT_FILE, *node.values_at[key])))
        if isinstance(value, YamlMap):
            found.extend(key_locations(value, f"{prefix}{key}."))
    return found
