"""What a team keeps with MLflow, kept with the unmodified package: a file, a folder, and a model that is registered and loaded again.

The address of the tracking server and the size of the file in bytes are given on the command line. It prints one JSON object with
what it made.
"""

import hashlib
import json
import os
import sys
import tempfile

import mlflow
import numpy as np
from mlflow.models import infer_signature
from mlflow.tracking import MlflowClient
from sklearn.linear_model import Ridge


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def main(uri, size):
    mlflow.set_tracking_uri(uri)
    client = MlflowClient()
    experiment = mlflow.set_experiment("Artifacts")
    folder = tempfile.mkdtemp()
    large = os.path.join(folder, "large.bin")
    with open(large, "wb") as f:
        f.write(os.urandom(size))
    digest = hashlib.sha256(open(large, "rb").read()).hexdigest()
    x = np.array([[0.0], [1.0], [2.0]])
    ridge = Ridge().fit(x, x[:, 0])
    with mlflow.start_run() as run:
        mlflow.log_artifact(large)
        mlflow.log_text("note", "deep/er/note.txt")
        mlflow.sklearn.log_model(ridge, name="model", signature=infer_signature(x, ridge.predict(x)), registered_model_name="Kept")
    run_id = run.info.run_id

    listed = {f.path: f.file_size for f in client.list_artifacts(run_id)}
    check(listed == {"large.bin": size, "deep": None}, f"the run holds {listed}")
    got = mlflow.artifacts.download_artifacts(run_id=run_id, artifact_path="large.bin")
    check(hashlib.sha256(open(got, "rb").read()).hexdigest() == digest, "the file came back changed")
    check(mlflow.artifacts.load_text(f"runs:/{run_id}/deep/er/note.txt") == "note", "the text came back changed")
    client.transition_model_version_stage("Kept", "1", "Production")
    loaded = mlflow.pyfunc.load_model("models:/Kept/Production")
    check(np.array_equal(loaded.predict(x), ridge.predict(x)), "the model predicts something else")
    print(
        json.dumps(
            {
                "run": run_id,
                "location": experiment.artifact_location,
                "artifact_uri": run.info.artifact_uri,
                "source": client.get_model_version("Kept", "1").source,
                "sha256": digest,
            }
        )
    )


main(sys.argv[1], int(sys.argv[2]))
