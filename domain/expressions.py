"""Conditions over facts (`when:` in a policy), in the language of the library `rule-engine`; never `eval`.

Only a small part of that language is let through: facts, texts, numbers, comparisons, `in`, `and`, `or`, `not`,
brackets and `.length`. A condition is compiled and checked for types and for words that can never match when the
policy is read, so a running recall never meets a broken one. Its length is bounded, and with it what it can cost.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Final

import rule_engine
from pydantic import AfterValidator, StringConstraints
from rule_engine import ast

from domain.policy_facts import FACTS, FactType, PolicyFacts

MAX_LENGTH: Final = 500
_MAX_NESTING: Final = 40
_TOKEN: Final = re.compile(
    r"\s+|(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?!['\"])|(?P<number>[0-9]{1,15}(\.[0-9]{1,6})?)(?![A-Za-z0-9_.])"
    r"|(?P<text>'[^'\"\\\n]*'|\"[^'\"\\\n]*\")|==|!=|<=|>=|<|>|\(|\)|\[|\]|,|\."
)
_WORDS: Final = frozenset({"and", "or", "not", "in", "true", "false", "length"})
_LANGUAGE: Final = 'facts, "texts", numbers, == != < <= > >=, in, and, or, not, brackets and .length'
_ENGINE_TYPES: Final = {
    FactType.FLAG: rule_engine.DataType.BOOLEAN,
    FactType.NUMBER: rule_engine.DataType.FLOAT,
    FactType.TEXT: rule_engine.DataType.STRING,
    FactType.LIST: rule_engine.DataType.ARRAY(rule_engine.DataType.STRING),
}
_CONTEXT: Final = rule_engine.Context(
    type_resolver=rule_engine.type_resolver_from_dict({name: _ENGINE_TYPES[fact.type] for name, fact in FACTS.items()})
)


class ExpressionError(ValueError):
    """A text that is no condition over the known facts; the message says what was expected."""


def check(text: str) -> str:
    """`text` itself, if it is a condition this module can hold against facts.

    Raises:
        ExpressionError: with the first fault found.
    """
    _compiled(text)
    return text


def holds(text: str, facts: PolicyFacts) -> bool:
    """Whether the condition `text` is true of `facts`.

    Raises:
        ExpressionError: when `text` is no condition; one that came out of a checked policy never is.
    """
    return bool(_compiled(text).matches(facts.as_values()))


def facts_used(text: str) -> tuple[str, ...]:
    """Names of the facts a condition reads, in order of appearance."""
    return tuple(dict.fromkeys(word for kind, word in _tokens(text) if kind == "name" and word in FACTS))


Expression = Annotated[str, StringConstraints(strip_whitespace=True), AfterValidator(check)]
"""A condition as a model field: stays text, and is checked when the model is built."""


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Any:
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"expected a condition of at most {MAX_LENGTH} characters, got {len(text)}")
    tokens = list(_tokens(text))
    if not tokens:
        raise ExpressionError('expected a condition like "implantable and units > 100", got nothing')
    for kind, word in tokens:
        if kind == "name" and word not in FACTS and word not in _WORDS:
            raise ExpressionError(f"unknown fact {word!r}; expected one of {', '.join(FACTS)}")
    if sum(word in ("(", "[", "not") for _, word in tokens) > _MAX_NESTING:
        raise ExpressionError(f"expected at most {_MAX_NESTING} brackets and not")
    try:
        rule = rule_engine.Rule(text, context=_CONTEXT)
    except rule_engine.EngineError as error:
        raise ExpressionError(f"{text[:80]!r} is no condition: {_reason(error)}; expected {_LANGUAGE}") from error
    if _type_of(rule.statement.expression) != FactType.FLAG:
        raise ExpressionError(f"{text!r} is a value, not a condition; compare it with something")
    if text.strip() != "true" and not facts_used(text):
        raise ExpressionError(f"{text!r} names no fact, so it is always the same")
    return rule


def _tokens(text: str) -> Iterator[tuple[str, str]]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            raise ExpressionError(f"{text[at : at + 20]!r} at character {at + 1} is not known; expected {_LANGUAGE}")
        if not found.group().isspace():
            yield found.lastgroup or "sign", found.group()
        at = found.end()


def _reason(error: rule_engine.EngineError) -> str:
    if isinstance(error, rule_engine.RuleSyntaxError):
        token = error.args[1] if len(error.args) > 1 else None
        return "it ends too early" if token is None else f"it cannot be read from {token.value!r} on"
    return str(error.message)


_LEAVES: Final = {
    ast.BooleanExpression: FactType.FLAG,
    ast.FloatExpression: FactType.NUMBER,
    ast.StringExpression: FactType.TEXT,
}


def _type_of(node: ast.ExpressionBase) -> FactType:
    """The type of a part, after all of its parts were checked; whatever is not named here is refused."""
    if type(node) in _LEAVES:
        return _LEAVES[type(node)]
    match node:
        case ast.SymbolExpression():
            return FACTS[node.name].type
        case ast.ArrayExpression():
            if not node.value or any(_type_of(item) != FactType.TEXT for item in node.value):
                raise ExpressionError("a list in brackets must hold texts, at least one")
            return FactType.LIST
        case ast.GetAttributeExpression():
            if node.name != "length" or _type_of(node.object) != FactType.LIST:
                raise ExpressionError(".length belongs to a list of texts, such as countries.length")
            return FactType.NUMBER
    _check_condition(node)
    return FactType.FLAG


def _check_condition(node: ast.ExpressionBase) -> None:
    match node:
        case ast.UnaryExpression() if node.type == "not":
            _expect_flag(node.right, "not")
        case ast.LogicExpression():
            _expect_flag(node.left, node.type)
            _expect_flag(node.right, node.type)
        case ast.ContainsExpression():
            _check_membership(node)
        case ast.ComparisonExpression() if not isinstance(node, ast.FuzzyComparisonExpression):
            _check_comparison(node)
        case _:
            raise ExpressionError(f"{type(node).__name__} is not part of the language; expected {_LANGUAGE}")


def _expect_flag(node: ast.ExpressionBase, word: str) -> None:
    if (found := _type_of(node)) != FactType.FLAG:
        raise ExpressionError(f"{word!r} joins conditions, got a {found}: {_shown(node)}")


def _check_membership(node: ast.ContainsExpression) -> None:
    if _type_of(node.container) != FactType.LIST or _type_of(node.member) != FactType.TEXT:
        raise ExpressionError('expected a text in a list, such as "CN" in countries or recall_class in ["I", "II"]')
    sides = (node.member, node.container)
    for fact, other in (sides, sides[::-1]):
        if isinstance(fact, ast.SymbolExpression):
            _check_words(fact.name, other.value if isinstance(other, ast.ArrayExpression) else (other,))


def _check_comparison(node: ast.ComparisonExpression) -> None:
    left, right = _type_of(node.left), _type_of(node.right)
    if left != right:
        raise ExpressionError(f"{_shown(node.left)} ({left}) and {_shown(node.right)} ({right}) cannot be compared")
    if left == FactType.LIST:
        raise ExpressionError("lists are not compared; expected in, or .length")
    if left != FactType.NUMBER and isinstance(node, ast.ArithmeticComparisonExpression):
        raise ExpressionError(f"only numbers have an order, {_shown(node.left)} is a {left}")
    for fact, other in ((node.left, node.right), (node.right, node.left)):
        if isinstance(fact, ast.SymbolExpression):
            _check_words(fact.name, (other,))


def _check_words(name: str, others: tuple[ast.ExpressionBase, ...]) -> None:
    """Refuse a text that this fact can never be: a slip of the pen would make a branch that never fires."""
    fact = FACTS[name]
    for word in (str(other.value) for other in others if isinstance(other, ast.StringExpression)):
        if fact.words and word not in fact.words:
            known = ", ".join(repr(str(each)) for each in fact.words)
            raise ExpressionError(f"{name} is never {word!r}; expected one of {known}")
        if fact.pattern and not re.search(fact.pattern, word):
            raise ExpressionError(f"{name} holds texts like {fact.pattern}, never {word!r}")


def _shown(node: ast.ExpressionBase) -> str:
    return str(getattr(node, "name", None) or getattr(node, "value", None) or "what was computed")
