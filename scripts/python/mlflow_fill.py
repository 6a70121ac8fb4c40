"""Fills a tracking server with one of everything that a team leaves there, for the tests of `tasador import-mlflow`.

Called with the address of the server. With the word `more` after it, it logs on: new runs, new points of an old run, a new version, and moves.
"""

import math
import os
import sys
import tempfile

import mlflow
import numpy as np
import pandas as pd
from mlflow.entities import Metric, Param, RunTag
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.linear_model import Ridge

NOW = 1_700_000_000_000


def model(slope):
    x = pd.DataFrame({"bed": [1.0, 2.0, 3.0], "bath": [1.0, 1.0, 2.0]})
    y = np.array([1.0, 2.0, 3.0]) * slope
    ridge = Ridge(alpha=0.1).fit(x, y)
    return ridge, infer_signature(x, ridge.predict(x))


def train(name, slope, registered=None, **start):
    ridge, signature = model(slope)
    with mlflow.start_run(run_name=name, **start) as run:
        mlflow.log_params({"alpha": "0.1", "ünïcode/param": "años", "long": "x" * 6000})
        mlflow.log_metric("test_rmse", 10.5 / slope)
        info = mlflow.sklearn.log_model(ridge, name="model", signature=signature, registered_model_name=registered, pip_requirements=["scikit-learn"])
        mlflow.log_metric("of_model", 0.25, step=3, model_id=info.model_id)
        mlflow.log_metric("of_model", math.nan, step=4, model_id=info.model_id)
        data = mlflow.data.from_pandas(pd.DataFrame({"bed": [1.0]}), source="s3://bucket/measured.csv", name="measured")
        mlflow.log_metric("by_data", slope, model_id=info.model_id, dataset=data)
    return run.info.run_id, info.model_id


def points(client, run_id):
    for start in range(0, 3000, 1000):
        client.log_batch(run_id, [Metric("loss", 1.0 / (s + 1), NOW + s // 7, s) for s in range(start, start + 1000)])
    client.log_batch(run_id, [
        Metric("strange", math.nan, NOW, 0), Metric("strange", math.inf, NOW, 1), Metric("strange", -math.inf, NOW, 2),
        Metric("strange", -0.0, NOW, 3), Metric("strange", 5e-324, NOW, -4), Metric("ends in NaN", 1.0, NOW, 1), Metric("ends in NaN", math.nan, NOW + 1, 2),
        Metric("same time", 1.0, NOW, 1), Metric("same time", 2.0, NOW, 1), Metric("same time", 0.0, NOW, 1), Metric("same time", math.nan, NOW, 1),
    ])


def fill(client):
    mlflow.set_experiment("Default")
    first, first_model = train("first", 1.0, "PriceModel")
    mlflow.set_experiment("Realtor ñ 价格")
    client.set_experiment_tag(client.get_experiment_by_name("Realtor ñ 价格").experiment_id, "team", "ciencia de datos ✓")
    second, second_model = train("second", 2.0, "PriceModel")
    with mlflow.start_run(run_name="parent", description="with children", tags={"ciudad": "Bogotá 🏠"}) as parent:
        points(client, parent.info.run_id)
        frame = pd.DataFrame({"bed": [1.0, 2.0], "price": [3.0, 4.0]})
        mlflow.log_input(mlflow.data.from_pandas(frame, source="s3://bucket/train.csv", name="train"), context="training")
        mlflow.log_input(mlflow.data.from_pandas(frame, source="s3://bucket/test.csv", name="test"), context="eval", tags={"extra": "yes"})
        for n in range(2):
            with mlflow.start_run(run_name=f"child {n}", nested=True):
                mlflow.log_param("n", n)
                mlflow.log_input(mlflow.data.from_pandas(frame, source="s3://bucket/train.csv", name="train"), context="validation")
        with tempfile.TemporaryDirectory() as d:
            os.makedirs(os.path.join(d, "deep", "er"))
            with open(os.path.join(d, "deep", "er", "some MB.bin"), "wb") as f:
                f.write(np.random.default_rng(1).bytes(3_000_001))
            open(os.path.join(d, "empty.txt"), "w").close()
            with open(os.path.join(d, "100% ñandú.txt"), "w") as f:
                f.write("percent")
            mlflow.log_artifacts(d, "outputs")
        mlflow.log_text("hello", "hello.txt")
    open_run = client.create_run(client.get_experiment_by_name("Realtor ñ 价格").experiment_id, run_name="still running", start_time=NOW)
    client.log_param(open_run.info.run_id, "open", "yes")
    killed = client.create_run("0", run_name="killed")
    client.set_terminated(killed.info.run_id, "KILLED", end_time=NOW + 5)
    gone = client.create_run("0", run_name="deleted run")
    client.log_metric(gone.info.run_id, "m", 1.0)
    client.log_text(gone.info.run_id, "kept", "of deleted.txt")
    client.delete_run(gone.info.run_id)

    doomed = client.create_experiment("deleted experiment", tags={"why": "test"})
    mlflow.set_experiment(experiment_id=doomed)
    train("in deleted", 3.0)
    client.delete_experiment(doomed)
    elsewhere = client.create_experiment("own place", artifact_location="mlflow-artifacts:/some/place")
    mlflow.set_experiment(experiment_id=elsewhere)
    third, third_model = train("third", 4.0)
    with mlflow.start_run(run_name="logs and deletes a model") as run:
        ridge, signature = model(9.0)
        info = mlflow.sklearn.log_model(ridge, name="goes", signature=signature, pip_requirements=["scikit-learn"])
    client.delete_logged_model(info.model_id)
    client.set_logged_model_tags(second_model, {"quality": "góod"})
    mlflow.set_experiment("Default")
    mlflow.create_external_model(name="external", params={"vendor": "x"}, tags={"kind": "ext"})
    client.create_logged_model("0", name="pending", params={"a": "b"})

    client.update_registered_model("PriceModel", "Prices of houses: 价格")
    client.set_registered_model_tag("PriceModel", "owner", "Ana")
    client.update_model_version("PriceModel", "2", "the better one")
    client.set_model_version_tag("PriceModel", "2", "checked", "sí")
    client.create_model_version("PriceModel", f"runs:/{first}/model", first)
    client.create_model_version("PriceModel", client.get_run(first).info.artifact_uri + "/model", first)
    mlflow.register_model(f"models:/{third_model}", "PriceModel")
    client.delete_model_version("PriceModel", "3")
    client.transition_model_version_stage("PriceModel", "1", "Production")
    client.transition_model_version_stage("PriceModel", "2", "Production", archive_existing_versions=True)
    client.transition_model_version_stage("PriceModel", "4", "Staging")
    client.set_registered_model_alias("PriceModel", "champion", "2")
    client.set_registered_model_alias("PriceModel", "challenger", "4")
    client.create_registered_model("Empty Model", tags={"t": "v"}, description="no versions")
    client.copy_model_version("models:/PriceModel/2", "Copied")
    mlflow.genai.register_prompt("greeting", template="Hello {{name}}", tags={"lang": "en"})
    mlflow.genai.register_prompt("greeting", template="Hola {{name}}", commit_message="español")
    client.set_prompt_alias("greeting", "live", 2)


def more(client):
    mlflow.set_experiment("Realtor ñ 价格")
    runs = {r.info.run_name: r for r in client.search_runs([client.get_experiment_by_name("Realtor ñ 价格").experiment_id])}
    parent = runs["parent"].info.run_id
    client.log_batch(parent, [Metric("loss", 0.5, NOW - 10, -1), Metric("loss", 0.5, NOW + 9000, 3000), Metric("new", 1.0, NOW, 0)],
                     [Param("late", "param")], [RunTag("ciudad", "Medellín")])
    client.log_text(parent, "hello, longer than before", "hello.txt")
    client.log_text(parent, "new", "outputs/deep/new.txt")
    client.set_terminated(runs["still running"].info.run_id, "FINISHED", end_time=NOW + 100)
    client.delete_run(runs["child 0"].info.run_id)
    mlflow.set_experiment("New one")
    train("fourth", 5.0, "PriceModel")
    client.transition_model_version_stage("PriceModel", "6", "Production", archive_existing_versions=True)
    client.set_registered_model_alias("PriceModel", "champion", "6")
    client.set_registered_model_alias("PriceModel", "fresh", "5")
    client.update_registered_model("PriceModel", "Better prices")


if __name__ == "__main__":
    mlflow.set_tracking_uri(sys.argv[1])
    {"fill": fill, "more": more}[sys.argv[2] if len(sys.argv) > 2 else "fill"](MlflowClient())
    print("filled")
