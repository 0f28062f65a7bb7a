"""CloudWatch's part, as far as the alarms here need it: what a line is in metrics, and what an alarm makes of them.

A period is a mapping of series (namespace, metric name, dimensions) to the values that came in it. Dimensions count as
in CloudWatch: a metric with others is another metric.
"""

import ast
import json
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

type Series = tuple[str, str, frozenset[tuple[str, str]]]
type Period = dict[Series, list[float]]

_OPERATORS: dict[type, Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
}
_STATISTICS: dict[str, Callable[[list[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Sum": sum,
}


def name_series(namespace: str, name: str, dimensions: Mapping[str, str] | None) -> Series:
    return namespace, name, frozenset((dimensions or {}).items())


def read_embedded(line: str) -> Period:
    """The metrics of a line in the embedded metric format; none of another line."""
    period: Period = {}
    record = json.loads(line)
    for directive in record.get("_aws", {}).get("CloudWatchMetrics", []):
        for names in directive["Dimensions"]:
            dimensions = {name: record[name] for name in names}
            for metric in directive["Metrics"]:
                value = record[metric["Name"]]
                series = name_series(directive["Namespace"], metric["Name"], dimensions)
                period[series] = value if isinstance(value, list) else [value]
    return period


def apply_filter(metric_filter: Mapping[str, Any], lines: Iterable[str]) -> Period:
    """What a metric filter on an event counts or adds up in log lines; its default for the others."""
    (event,) = re.fullmatch(r'\{ \$\.event = "(\w+)" \}', metric_filter["pattern"]).groups()  # type: ignore[union-attr]
    (made,) = metric_filter["metric_transformation"]
    values = []
    for line in lines:
        record = json.loads(line)
        if record.get("event") != event:
            values.append(float(made["default_value"]))
        else:  # a number, or the field that holds it
            field = made["value"].removeprefix("$.")
            values.append(float(record[field] if field != made["value"] else field))
    return {name_series(made["namespace"], made["name"], made["dimensions"]): values}


def list_series(alarm: Mapping[str, Any]) -> dict[str, tuple[Series, str]]:
    """Series and statistic of each metric that an alarm looks at, by its id in the expression."""
    if not alarm["metric_query"]:
        series = name_series(alarm["namespace"], alarm["metric_name"], alarm["dimensions"])
        return {"only": (series, alarm["statistic"])}
    return {
        query["id"]: (name_series(metric["namespace"], metric["metric_name"], metric["dimensions"]), metric["stat"])
        for query in alarm["metric_query"]
        for metric in query["metric"]
    }


def is_firing(alarm: Mapping[str, Any], periods: list[Period]) -> bool:
    """Whether the last periods put the alarm into ALARM; a period without data does not, as all alarms here say."""
    assert alarm["comparison_operator"] == "GreaterThanThreshold"
    assert alarm["treat_missing_data"] == "notBreaching"
    last = periods[-int(alarm["evaluation_periods"]) :]
    values = [_measure(alarm, period) for period in last]
    enough = len(values) == alarm["evaluation_periods"]
    return enough and all(value is not None and value > alarm["threshold"] for value in values)


def _measure(alarm: Mapping[str, Any], period: Period) -> float | None:
    found = {
        name: _STATISTICS[statistic](period[series]) if period.get(series) else None
        for name, (series, statistic) in list_series(alarm).items()
    }
    expressions = [query["expression"] for query in alarm["metric_query"] if query["expression"]]
    if not expressions:
        return found["only"]
    try:
        value: float | None = _compute(ast.parse(expressions[0], mode="eval").body, found)
    except (TypeError, ZeroDivisionError):  # CloudWatch has no value where one is missing, or is divided by 0
        return None
    return value


def _compute(node: ast.expr, found: Mapping[str, float | None]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return found[name]
        case ast.BinOp(left=left, op=by, right=right):
            return _OPERATORS[type(by)](_compute(left, found), _compute(right, found))
        case ast.Compare(left=left, ops=[by], comparators=[right]):
            return _OPERATORS[type(by)](_compute(left, found), _compute(right, found))
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise]):
            return _compute(then if _compute(condition, found) else otherwise, found)
        case ast.Call(func=ast.Name(id="FILL"), args=[series, default]):
            value = _compute(series, found)
            return _compute(default, found) if value is None else value
    raise ValueError(f"not understood: {ast.dump(node)}")
