"""What the original's DAG and pages do with MLflow 2.2.1, done with that package against the tracking server named on the command line.

It prints one JSON object with what it made, and fails with a traceback where the server does not do what MLflow does.
"""

import json
import math
import sys

import mlflow
import numpy as np
from mlflow.exceptions import MlflowException
from mlflow.models.signature import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.linear_model import Ridge

EXPERIMENT = "Realtor_Price_Experiment"
MODEL = "RealtorPriceModel"


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def train(client, rmse, alpha):
    """One run as the DAG's task makes it: a metric for each alpha, the model, its registration, and then the run opened again for tags."""
    rng = np.random.default_rng(42)
    x = rng.normal(size=(100, 2))
    y = x @ np.array([3.0, -2.0]) + 7
    ridge = Ridge(alpha=alpha).fit(x, y)
    with mlflow.start_run(run_name="train") as run:
        for a in (0.01, 1.0, 100.0):
            mlflow.log_metric(f"val_rmse_alpha_{a}", a)
        mlflow.log_metric("test_rmse", rmse)
        mlflow.log_param("best_alpha", alpha)
        mlflow.sklearn.log_model(ridge, "model", registered_model_name=MODEL, signature=infer_signature(x, ridge.predict(x)), input_example=x[:2])
    with mlflow.start_run(run_id=run.info.run_id):
        mlflow.set_tag("promoted", "true")
    history = json.loads(client.get_run(run.info.run_id).data.tags["mlflow.log-model.history"])
    check([m["artifact_path"] for m in history] == ["model"], f"the models of a run: {history}")
    return run.info.run_id, ridge, x


def promote(client):
    """The newest version that is in no stage goes to Production."""
    candidates = client.get_latest_versions(MODEL, stages=["None"])
    check(len(candidates) == 1, f"one version is the newest of no stage: {candidates}")
    moved = client.transition_model_version_stage(MODEL, candidates[0].version, "Production", archive_existing_versions=True)
    check(moved.current_stage == "Production", moved)


def main(uri):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    experiment = mlflow.set_experiment(EXPERIMENT)
    check(mlflow.set_experiment(EXPERIMENT).experiment_id == experiment.experiment_id, "the experiment is found again")
    first, _, _ = train(client, 20.0, 1.0)
    promote(client)
    second, ridge, x = train(client, 10.0, 0.01)
    promote(client)
    with mlflow.start_run(run_name="decision") as decision:
        mlflow.set_tag("decision", "end_no_train")
    with mlflow.start_run(run_name="broken"):
        mlflow.log_metric("test_rmse", math.nan)

    versions = {v.version: v.current_stage for v in client.search_model_versions(f"name='{MODEL}'")}
    latest = {v.current_stage: v.version for v in client.get_latest_versions(MODEL)}
    check(latest == {"Archived": "1", "Production": "2"}, f"the newest version of every stage: {latest}")
    check(client.get_latest_versions(MODEL, stages=["Production"])[0].run_id == second, "the run of the version in Production")
    check([m.name for m in client.search_registered_models()] == [MODEL], "registered models")

    found = client.search_runs([experiment.experiment_id], f"attributes.run_id != '{second}'", order_by=["metrics.test_rmse ASC"], max_results=20)
    names = [r.data.tags["mlflow.runName"] for r in found]
    check(names == ["train", "broken", "decision"], f"values first, then NaN, then what has none: {names}")
    check(found[0].info.run_id == first and found[2].info.run_id == decision.info.run_id, "the runs themselves")
    frame = mlflow.search_runs([experiment.experiment_id], "metrics.test_rmse < 15 and params.best_alpha = '0.01'")
    check(list(frame["run_id"]) == [second], f"runs as a data frame: {frame}")
    check([m.value for m in client.get_metric_history(second, "test_rmse")] == [10.0], "the history of a metric")

    for address in (f"models:/{MODEL}/Production", f"models:/{MODEL}/2", f"runs:/{second}/model"):
        check(np.array_equal(mlflow.pyfunc.load_model(address).predict(x), ridge.predict(x)), f"{address} predicts something else")
    check(np.array_equal(mlflow.sklearn.load_model(f"models:/{MODEL}/Production").predict(x), ridge.predict(x)), "the scikit-learn flavour")
    check({f.path for f in client.list_artifacts(second)} == {"model"}, "artifacts of a run")
    try:
        client.get_run("0" * 32)
        check(False, "a run that is not there was found")
    except MlflowException as e:
        check(e.error_code == "RESOURCE_DOES_NOT_EXIST", e.error_code)
    check(client.get_experiment_by_name("no such experiment") is None, "a missing experiment is None")
    print(json.dumps({"mlflow": mlflow.__version__, "run": second, "versions": versions}))


main(sys.argv[1])
