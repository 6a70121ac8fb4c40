"""Reads MLflow's search language with MLflow's own parsers, for the tests of ours.

Input: one JSON object on each line, {"search": KIND, "filter": TEXT} or {"search": KIND, "order_by": TEXT}. Output: for each line
{"parsed": [[entity, key, comparator, value]]} or {"parsed": [[entity, key, ascending]]}, or {"refused": message}. A filter is run
through the store's own translation to SQL too, because some checks are only there.
"""

import json
import sys

import sqlalchemy.orm
from mlflow.exceptions import MlflowException
from mlflow.store.model_registry import sqlalchemy_store as registry_store
from mlflow.store.tracking import sqlalchemy_store as tracking_store
from mlflow.store.tracking.dbmodels.models import SqlLoggedModel
from mlflow.utils import search_logged_model_utils, search_utils

PARSERS = {
    "runs": search_utils.SearchUtils,
    "experiments": search_utils.SearchExperimentsUtils,
    "models": search_utils.SearchModelUtils,
    "versions": search_utils.SearchModelVersionUtils,
}


def order(kind, text):
    if kind == "runs":
        with sqlalchemy.orm.Session() as session:
            tracking_store._get_orderby_clauses([text], session)
        return search_utils.SearchUtils.parse_order_by_for_search_runs(text)
    if kind == "experiments":
        tracking_store._get_search_experiments_order_by_clauses([text])
        return search_utils.SearchExperimentsUtils.parse_order_by_for_search_experiments(text)
    if kind == "models":
        key, ascending = search_utils.SearchUtils.parse_order_by_for_search_registered_models(text)
        return "attribute", key, ascending
    return search_utils.SearchModelVersionUtils.parse_order_by_for_search_model_versions(text)


def to_sql(kind, parsed):
    if kind == "runs":
        with sqlalchemy.orm.Session() as session:
            tracking_store._get_sqlalchemy_filter_clauses(parsed, session, "sqlite")
    elif kind == "experiments":
        tracking_store._get_search_experiments_filter_clauses(parsed, "sqlite")
    elif kind == "models":
        store = registry_store.SqlAlchemyStore.__new__(registry_store.SqlAlchemyStore)
        store._get_search_registered_model_filter_query(None, parsed, "sqlite")
    elif kind == "versions":
        store = registry_store.SqlAlchemyStore.__new__(registry_store.SqlAlchemyStore)
        store._get_search_model_versions_filter_clauses(parsed, "sqlite")


def answer(question):
    kind = question["search"]
    try:
        if "order_by" in question:
            return {"parsed": [order(kind, question["order_by"])]}
        if kind == "logged":
            for c in search_logged_model_utils.parse_filter_string(question["filter"]):
                if c.entity.type == search_logged_model_utils.EntityType.ATTRIBUTE:
                    getattr(SqlLoggedModel, c.entity.key).in_([])
            parsed = [
                {"type": c.entity.type.value, "key": c.entity.key, "comparator": c.op, "value": c.value}
                for c in search_logged_model_utils.parse_filter_string(question["filter"])
            ]
        else:
            parsed = PARSERS[kind].parse_search_filter(question["filter"])
            to_sql(kind, parsed)
        return {"parsed": [[c["type"], c["key"], c["comparator"].upper(), c["value"]] for c in parsed]}
    except MlflowException as e:
        return {"refused": e.message}
    except Exception as e:
        return {"failed": f"{type(e).__name__}: {e}"}


for line in sys.stdin:
    text = json.dumps(answer(json.loads(line)), default=str)
    print(json.dumps(json.loads(text, parse_constant=str)))  # JSON has no NaN
