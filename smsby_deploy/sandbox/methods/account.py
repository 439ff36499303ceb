"""The account itself: senders, balance, limit."""

from __future__ import annotations

from typing import Any

from smsby_deploy.sandbox.account import Account
from smsby_deploy.sandbox.errors import Refusal
from smsby_deploy.sandbox.params import Params, text_of


def get_alphanames(account: Account, params: Params) -> Any:
    """A map id → name; as PHP writes it, a list when its keys are 0, 1, 2 …, so also when it is empty."""
    names = account.settings.alphanames
    return list(names.values()) if list(names) == [str(index) for index in range(len(names))] else names


def get_alphaname_id(account: Account, params: Params) -> Any:
    wanted = text_of(params, "name")
    for number, name in account.settings.alphanames.items():
        if name == wanted:
            return {"id": int(number)}
    raise Refusal("not found", 404)


def get_balance(account: Account, params: Params) -> Any:
    balance = f"{account.store.balance:.5f}"
    return {"status": "OK", "currency": account.settings.currency, "result": [{"balance": balance}]}


def get_limit(account: Account, params: Params) -> Any:
    """About how many parts the balance buys."""
    price = account.settings.price
    return {"limit": int(account.store.balance / price) if price else 0}
