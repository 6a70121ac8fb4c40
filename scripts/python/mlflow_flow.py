"""What a team does with MLflow, done with the unmodified package against the tracking server named on the command line.

It prints one JSON object with the ids of what it made, so that the caller can look for them in the database, and fails with a
traceback where the server does not do what MLflow does.
"""

import json
import math
import re
import sys

import mlflow
import numpy as np
import requests
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.models import Model, infer_signature
from mlflow.tracking import MlflowClient
from sklearn.linear_model import Ridge

EXPERIMENT = "Realtor_Price_Experiment"
MODEL = "PythonRidge"


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def refused(call, code):
    try:
        call()
    except MlflowException as e:
        check(e.error_code == code, f"expected {code}, got {e.error_code}: {e.message}")
        return
    raise AssertionError(f"expected {code}, but it was accepted")


def log_runs(client):
    """Three runs with a metric, one with NaN, one without: what promotion has to order."""
    experiment = mlflow.set_experiment(EXPERIMENT)
    runs = {}
    for name, rmse in {"better": 10.5, "worse": 99.0, "broken": math.nan, "decision": None}.items():
        with mlflow.start_run(run_name=name) as run:
            mlflow.log_param("best_alpha", "1.0")
            mlflow.set_tag("dag_run_id", f"manual__{name}")
            if rmse is not None:
                mlflow.log_metric("test_rmse", rmse)
            mlflow.log_metrics({"val_rmse_alpha_0.01": 1.5, "val_rmse_alpha_100.0": 2.5})
        runs[name] = run.info.run_id
    now = 1_700_000_000_000
    client.log_batch(
        runs["better"],
        metrics=[Metric("loss", 1.0 / (step + 1), now + step, step) for step in range(500)],
        params=[Param(f"p{i}", str(i)) for i in range(50)],
        tags=[RunTag("batch", "yes")],
    )
    history = client.get_metric_history(runs["better"], "loss")
    check([m.step for m in history] == list(range(500)), "the history is not complete or not in order")
    refused(lambda: client.log_param(runs["better"], "best_alpha", "2.0"), "INVALID_PARAMETER_VALUE")
    check(client.get_experiment_by_name("no such experiment") is None, "a missing experiment is None")
    return experiment.experiment_id, runs


def search(client, experiment_id, runs):
    found = client.search_runs(
        [experiment_id],
        filter_string=f"attributes.run_id != '{runs['worse']}'",
        order_by=["metrics.test_rmse ASC"],
        max_results=20,
    )
    names = [r.info.run_name for r in found]
    check(names == ["better", "broken", "decision"], f"values first, then NaN, then missing: {names}")
    found = client.search_runs([experiment_id], "metrics.test_rmse > 11 AND params.best_alpha = '1.0'")
    check([r.info.run_id for r in found] == [runs["worse"]], "filter by metric and param")
    frame = mlflow.search_runs([experiment_id], order_by=["metrics.test_rmse DESC"])
    check(list(frame["tags.mlflow.runName"])[:2] == ["worse", "better"], "search_runs as a data frame")
    refused(lambda: client.search_runs([experiment_id], "metrics.test_rmse LIKE 'x'"), "INVALID_PARAMETER_VALUE")
    pages, token = [], None
    while True:
        page = client.search_runs([experiment_id], max_results=3, page_token=token)
        pages.append(len(page))
        token = page.token
        if not token:
            break
    check(pages == [3, 1], f"pages of 3: {pages}")


def fit(alpha):
    rng = np.random.default_rng(42)
    x = rng.normal(size=(200, 3))
    y = x @ np.array([3.0, -2.0, 0.5]) + 7 + rng.normal(scale=0.1, size=200)
    return Ridge(alpha=alpha).fit(x, y), x


def register(client, run_id):
    """Logs and registers two models from a run that is opened again, as the original's DAG does."""
    predictions = []
    for alpha in (0.1, 10.0):
        model, x = fit(alpha)
        with mlflow.start_run(run_id=run_id):
            mlflow.sklearn.log_model(
                model, name="model", registered_model_name=MODEL, signature=infer_signature(x, model.predict(x)),
                input_example=x[:2],
            )
        predictions.append(model.predict(x))
    first, second = sorted(client.search_model_versions(f"name='{MODEL}'"), key=lambda v: int(v.version))
    check(first.run_id == run_id and second.run_id == run_id, "versions name the run that made their model")
    client.transition_model_version_stage(MODEL, first.version, "Production", archive_existing_versions=True)
    client.transition_model_version_stage(MODEL, second.version, "production", archive_existing_versions=True)
    stages = {v.version: v.current_stage for v in client.search_model_versions(f"name='{MODEL}'")}
    check(stages == {"1": "Archived", "2": "Production"}, f"the older one is archived: {stages}")
    client.set_registered_model_alias(MODEL, "previous", "1")
    latest = {v.current_stage: v.version for v in client.get_latest_versions(MODEL)}
    check(latest == {"Archived": "1", "Production": "2"}, f"latest versions of every stage: {latest}")
    client.set_model_version_tag(MODEL, "2", "reviewed", "yes")
    client.update_model_version(MODEL, "2", description="alpha 10")
    check(client.get_model_version(MODEL, "2").tags == {"reviewed": "yes"}, "tags of a version")
    return predictions, x


def load(predictions, x):
    for uri, want in {
        f"models:/{MODEL}/Production": predictions[1],
        f"models:/{MODEL}/2": predictions[1],
        f"models:/{MODEL}@previous": predictions[0],
    }.items():
        got = mlflow.pyfunc.load_model(uri).predict(x)
        check(np.array_equal(got, want), f"{uri} predicts something else")
    native = mlflow.sklearn.load_model(f"models:/{MODEL}/Production")
    check(np.array_equal(native.predict(x), predictions[1]), "the scikit-learn flavour predicts something else")


def artifacts(client, run_id):
    client.log_text(run_id, "línea uno\n", "notes/añb.txt")
    client.log_dict(run_id, {"a": 1}, "notes/one.json")
    listed = sorted(f.path for f in client.list_artifacts(run_id, "notes"))
    check(listed == ["notes/añb.txt", "notes/one.json"], f"artifacts of a run: {listed}")
    check(mlflow.artifacts.load_text(f"runs:/{run_id}/notes/añb.txt") == "línea uno\n", "text artifact")


def autolog():
    """Lets MLflow log by itself what a fit did: params, metrics, the model and the data."""
    mlflow.sklearn.autolog(silent=True)
    with mlflow.start_run(run_name="autolog") as run:
        fit(0.5)
    mlflow.sklearn.autolog(disable=True, silent=True)
    logged = mlflow.get_run(run.info.run_id)
    check(logged.data.params["alpha"] == "0.5", f"params: {logged.data.params}")
    check("training_r2_score" in logged.data.metrics, f"metrics: {logged.data.metrics}")
    check(len(logged.inputs.dataset_inputs) == 1, "the training data is recorded")
    check(len(logged.outputs.model_outputs) == 1, "the model is recorded")
    found = mlflow.search_runs(filter_string="datasets.context = 'train'", output_format="list")
    check([r.info.run_id for r in found] == [run.info.run_id], "runs by the data that they used")


def prompts(client):
    """Prompts are registered models with tags of their own; searches for models do not find them."""
    first = client.register_prompt("greeting", "Good day, {{name}}", commit_message="first", tags={"lang": "en"})
    second = client.register_prompt("greeting", "Hello, {{name}}")
    check((first.version, second.version) == (1, 2), f"versions of a prompt: {first.version}, {second.version}")
    client.set_prompt_alias("greeting", "live", 1)
    check(client.load_prompt("prompts:/greeting@live").format(name="Ana") == "Good day, Ana", "the prompt behind an alias")
    check(client.load_prompt("greeting", version=2).template == "Hello, {{name}}", "the text of a version")
    check([p.name for p in client.search_prompts()] == ["greeting"], "search for prompts")
    check({v.version for v in client.search_prompt_versions("greeting")} == {1, 2}, "versions of a prompt")
    check("greeting" not in {m.name for m in client.search_registered_models()}, "a prompt is no model")
    check(not client.search_model_versions("name='greeting'"), "versions of a prompt are no versions of a model")
    client.set_prompt_version_tag("greeting", 2, "reviewed", "yes")
    check(client.get_prompt_version("greeting", 2).tags["reviewed"] == "yes", "tags of a version of a prompt")
    refused(lambda: client.create_registered_model("greeting"), "RESOURCE_ALREADY_EXISTS")
    client.delete_prompt_version("greeting", "2")
    refused(lambda: client.get_prompt_version("greeting", 2), "RESOURCE_DOES_NOT_EXIST")


def pages(uri, client, experiment_id, runs):
    """What MLflow's own pages ask for, and what its clients of version 2 do."""
    ajax = f"{uri}/ajax-api/2.0/mlflow"
    better, worse = runs["better"], runs["worse"]

    def ask(path, **query):
        answer = requests.get(f"{ajax}/{path}", params=query, timeout=30)
        check(answer.status_code == 200, answer.text)
        return answer.json()

    def points(path, **query):
        return ask(path, **query).get("metrics", [])

    bulk = points("metrics/get-history-bulk", run_id=[better, worse], metric_key="test_rmse")
    check([(p["run_id"], p["value"]) for p in bulk] == sorted([(better, 10.5), (worse, 99.0)]), f"histories: {bulk}")
    check(len(points("metrics/get-history-bulk", run_id=better, metric_key="loss", max_results=7)) == 7, "at most 7 points")
    steps = [p["step"] for p in points("metrics/get-history-bulk-interval", run_ids=better, metric_key="loss", max_results=10)]
    check(steps == [0, 50, 100, 150, 200, 250, 300, 350, 400, 499], f"a sample of 500 points: {steps}")
    steps = [p["step"] for p in points("metrics/get-history-bulk-interval", run_ids=better, metric_key="loss", start_step=3, end_step=5)]
    check(steps == [3, 4, 5], f"points within steps: {steps}")
    steps = [p["step"] for p in points("metrics/get-history-bulk-interval", run_ids=better, metric_key="loss", max_results=1)]
    check(steps == [499], f"a sample of one point is the last: {steps}")
    answer = requests.get(f"{ajax}/metrics/get-history-bulk-interval", params={"run_ids": better, "metric_key": "loss", "end_step": 5}, timeout=30)
    check((answer.status_code, answer.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer.text)

    answer = requests.post(f"{ajax}/experiments/search-datasets", json={"experiment_ids": [experiment_id]}, timeout=30)
    found = answer.json()["dataset_summaries"]
    check([(d["experiment_id"], d["context"]) for d in found] == [(experiment_id, "train")], f"data sets: {found}")

    answer = requests.post(f"{ajax}/upload-artifact", params={"run_uuid": better, "path": "charts/one.json"}, data=b"[1, 2]", timeout=30)
    check(answer.status_code == 200, answer.text)
    check(mlflow.artifacts.load_dict(f"runs:/{better}/charts/one.json") == [1, 2], "the file that a page uploaded")
    for query, data in (({"run_uuid": better, "path": "../x"}, b"x"), ({"run_uuid": better}, b"x"), ({"run_uuid": better, "path": "x"}, b""),
                        ({"run_uuid": better, "path": "x"}, b"x" * (10 * 1024 * 1024 + 1))):
        answer = requests.post(f"{ajax}/upload-artifact", params=query, data=data, timeout=60)
        check(answer.status_code == 400, f"{query}: {answer.status_code} {answer.text}")

    for path in ("first", "second"):
        client._record_logged_model(better, Model(artifact_path=path, run_id=better, flavors={"sklearn": {"config": "left out", "code": None}}))
    history = json.loads(client.get_run(better).data.tags["mlflow.log-model.history"])
    check([(m["artifact_path"], m["flavors"]) for m in history] == [(p, {"sklearn": {"code": None}}) for p in ("first", "second")], f"{history}")

    model = client.create_logged_model(experiment_id, name="short-lived")
    client.delete_logged_model(model.model_id)
    check(client._tracking_client.store.get_logged_model(model.model_id, allow_deleted=True).model_id == model.model_id, "a deleted model that is asked for")


def endpoints(uri):
    """Every route of MLflow's own server answers in MLflow's shape; what is not served says so, and clients do not repeat it."""
    from mlflow.server import handlers

    served = ("experiments/", "runs/", "metrics/", "artifacts/list", "logged-models", "registered-models/", "model-versions/", "mlflow-artifacts/artifacts")
    if requests.get(f"{uri}/api/3.0/mlflow/server-info", timeout=30).json()["multipart_uploads_enabled"]:
        served += ("mlflow-artifacts/mpu/", "mlflow-artifacts/presigned/")
    for path, _, methods in handlers.get_endpoints():
        if "/mlflow" not in path.replace(".0mlflow", ""):
            continue  # a route that MLflow itself has by mistake
        for method in methods:
            answer = requests.request(method, uri + re.sub("<[^>]*>", "nothing", path), json={}, timeout=30)
            shown = f"{method} {path}: {answer.status_code} {answer.text[:200]}"
            code = answer.json().get("error_code") if answer.text else None
            check(answer.status_code < 500 or answer.status_code == 501, shown)
            check(answer.status_code < 400 or code, shown)
            unknown = code in ("ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED", "BAD_REQUEST")
            if path.startswith(("/api/2.0/", "/ajax-api/2.0/")) and any(f"/{s}" in path for s in served):
                check(not unknown, f"a call that has to be served: {shown}")
            elif answer.status_code >= 400 and "server-info" not in path:
                check(unknown, f"a call that is not served: {shown}")


def main():
    mlflow.set_tracking_uri(sys.argv[1])
    client = MlflowClient()
    experiment_id, runs = log_runs(client)
    search(client, experiment_id, runs)
    predictions, x = register(client, runs["better"])
    load(predictions, x)
    artifacts(client, runs["better"])
    autolog()
    prompts(client)
    pages(sys.argv[1], client, experiment_id, runs)
    endpoints(sys.argv[1])
    client.delete_run(runs["worse"])
    check(client.get_run(runs["worse"]).info.lifecycle_stage == "deleted", "a deleted run stays readable")
    print(json.dumps({"experiment_id": experiment_id, "runs": runs, "mlflow": mlflow.__version__}))


if __name__ == "__main__":
    main()
