// Package realtor holds the names of the price model: its DAG with its tasks, its experiment, its registered model, and what each DAG run records
// of itself in tracking. The pipeline writes under these names; serving's history and the demonstration read what stands there.
package realtor

// The names that users see. They are the original's, so that its notebooks and dashboards find what they look for.
const (
	DAG        = "realtor_price_model"
	Experiment = "Realtor_Price_Experiment"
	Model      = "RealtorPriceModel"
)

// The tasks of the DAG.
const (
	TaskExtract       = "extract_data"
	TaskBranch        = "branch_on_exhaustion"
	TaskReset         = "reset_data"
	TaskEndAfterReset = "end_after_reset"
	TaskDecide        = "decide_to_train"
	TaskSplit         = "split_data"
	TaskPreprocess    = "preprocess_data"
	TaskTrain         = "train_and_register"
	TaskEndNoTrain    = "end_no_train"
	TaskEnd           = "end"
)

// Each DAG run has one run in the experiment that records what was decided, and one more if a model was trained.
const (
	DecisionRun    = "decision"
	TrainRunPrefix = "train__"
)

// The XComs by which tasks name what they made in tracking.
const (
	XComRunID        = "run_id"        // of decide_to_train, reset_data and train_and_register
	XComModelVersion = "model_version" // of train_and_register
)

// TrainRun returns the name of a DAG run's training run.
func TrainRun(dagRunID string) string { return TrainRunPrefix + dagRunID }

// The decisions: the tasks that the DAG goes on with.
const (
	DecisionTrain   = TaskSplit
	DecisionNoTrain = TaskEndNoTrain
	DecisionReset   = TaskReset
)

// ReasonReset is the reason of DecisionReset. Reasons are data: their texts are the same in every language.
const ReasonReset = "fuente agotada"

// Tags of all runs of a DAG run.
const (
	TagDAGRunID      = "dag_run_id"
	TagExecutionDate = "execution_date"
	TagAsOf          = "as_of"
)

// What a decision run records beside them.
const (
	TagDecision      = "decision"
	TagReason        = "reason"
	MetricNewRecords = "new_records"
)

// What a decision run records of the profile of its batch; a prefix is followed by a column.
const (
	FileBatchProfile      = "profile/batch.json"
	MetricRows            = "rows" // also a prefix: rows_train … in a training run
	MetricInvalidRatio    = "invalid_ratio"
	MetricSeenBefore      = "rows_seen_before"
	MetricNullRatio       = "null_ratio_"
	MetricOutOfRangeRatio = "out_of_range_ratio_"
	MetricMean            = "mean_"
	MetricMedian          = "median_"
)

// FileSplitsProfile is what a training run has of the profiles of its splits.
const FileSplitsProfile = "profile/splits.json"

// What a training run records beside them. TagBestAlpha repeats ParamBestAlpha, as the original does.
const (
	TagPromoted     = "promoted"           // true or false
	TagCurrentRMSE  = "current_rmse"       // MetricTestRMSE
	TagPreviousRMSE = "previous_best_rmse" // the least of the other DAG runs, None if there is none
	TagBestAlpha    = "best_alpha"
	ParamBestAlpha  = "best_alpha"
	MetricValRMSE   = "val_rmse_alpha_" // and the alpha
	MetricBestVal   = "best_val_rmse"
	MetricTestRMSE  = "test_rmse"
)
