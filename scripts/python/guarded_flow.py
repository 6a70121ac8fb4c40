"""Asks a tracking server that wants a login, with MLflow's own package, and prints what became of it as JSON.

usage: guarded_flow.py URI read|write

Who asks, and which authority vouches for the server, is in MLflow's variables.
"""

import json
import os
import sys
import tempfile

import mlflow
from mlflow.exceptions import MlflowException

uri, what = sys.argv[1:]
mlflow.set_tracking_uri(uri)
client = mlflow.MlflowClient()


def refused(call):
    """The error that MLflow makes of an answer, or None."""
    try:
        call()
    except MlflowException as e:
        return {"code": e.error_code, "message": str(e)}
    return None


if what == "write":
    mlflow.set_experiment("guarded")
    with mlflow.start_run() as run:
        mlflow.log_metric("m", 1.5)
        mlflow.log_metrics({"a": 1.0, "b": 2.0})
        mlflow.set_tag("t", "v")
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "a.txt")
            with open(path, "w", encoding="utf-8") as f:
                f.write("through the proxy")
            mlflow.log_artifact(path, "deep")
    with tempfile.TemporaryDirectory() as folder:
        with open(mlflow.artifacts.download_artifacts(run_id=run.info.run_id, artifact_path="deep/a.txt", dst_path=folder), encoding="utf-8") as f:
            text = f.read()
    print(json.dumps({"run": run.info.run_id, "metric": client.get_run(run.info.run_id).data.metrics["m"], "text": text}))
else:
    print(json.dumps({
        "search": refused(lambda: client.search_experiments()),
        "create": refused(lambda: client.create_experiment("not mine")),
        "model": refused(lambda: client.create_registered_model("NotMine")),
    }))
