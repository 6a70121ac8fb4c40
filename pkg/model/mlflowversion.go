package model

// MLflowVersion is the version of MLflow whose form of a model's folder is written, and whose scoring protocol is spoken.
func MLflowVersion() string { return writtenFor }
