#!/usr/bin/env python3
"""Logs in as Airflow's clients do, and asks for the DAGs: airflow_login.py ADDRESS USER, with the password in TASADOR_TEST_PASSWORD."""
import json
import os
import sys
import urllib.error
import urllib.request

import airflow_client.client as airflow

address, user = sys.argv[1:]


def token(password):
    request = urllib.request.Request(f"{address}/auth/token", json.dumps({"username": user, "password": password}).encode(),
                                     {"Content-Type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        assert answer.status == 201, answer.status
        return json.load(answer)["access_token"]


def api(access_token, kind):
    return kind(airflow.ApiClient(airflow.Configuration(host=address, access_token=access_token)))


def refusal(call):
    try:
        call()
    except urllib.error.HTTPError as e:
        return e.code
    except airflow.ApiException as e:
        return e.status
    return "none"


access = token(os.environ["TASADOR_TEST_PASSWORD"])
print("\n".join(dag.dag_id for dag in api(access, airflow.DAGApi).get_dags().dags))
print("wrong password:", refusal(lambda: token("wrong")))
print("no token:", refusal(lambda: api("", airflow.DAGApi).get_dags()))
print("viewer triggers:", refusal(lambda: api(access, airflow.DagRunApi).trigger_dag_run("realtor_price_model", airflow.TriggerDAGRunPostBody())))
