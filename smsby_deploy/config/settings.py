"""Single settings of smsby.yaml and of campaigns as typed values."""

from __future__ import annotations

from decimal import Decimal

from smsby_deploy.config.declarations import HOME, Price, Rewrite
from smsby_deploy.config.problem_log import ProblemLog
from smsby_deploy.config.project_files import PROJECT_FILE
from smsby_deploy.config.yaml_nodes import YamlMap
from smsby_deploy.problems import Location


def read_price(node: YamlMap) -> Price:
    """Read the mapping `price`."""
    prefixes = node.get("per_prefix") or {}
    longest_first = sorted(prefixes, key=lambda prefix: (-len(prefix), prefix))
    prices = tuple((prefix, Decimal(str(prefixes[prefix]))) for prefix in longest_first)
    return Price(node["currency"], Decimal(str(node["per_part"])), prices)


def read_rewrite(mailing: YamlMap) -> Rewrite:
    """Read how the texts of a mailing are made cheaper."""
    return Rewrite(mailing.get("smart_encoding", False), mailing.get("transliterate", False))


def read_countries(codes: list[str], location: Location, log: ProblemLog) -> tuple[str, ...]:
    """Return the country codes in capitals, without repeats; an unknown one is an error."""
    countries = tuple(dict.fromkeys(code.upper() for code in codes))
    if countries == (HOME,):
        return countries
    from phonenumbers import SUPPORTED_REGIONS

    unknown = [code for code in countries if code not in SUPPORTED_REGIONS]
    if unknown:
        hint = "; the code of the United Kingdom is GB" if "UK" in unknown else ""
        log.error("COUNTRY", f"unknown country code {', '.join(unknown)} (ISO 3166){hint}", location)
    return countries


def key_locations(node: YamlMap, prefix: str = "") -> dict[str, Location]:
    """Return the place of the value of each key of smsby.yaml, by its dotted name."""
    found = {}
    for key, value in node.items():
        found[prefix + key] = Location(PROJECT_FILE, *node.values_at[key])
        if isinstance(value, YamlMap):
            found |= key_locations(value, f"{prefix}{key}.")
    return found
