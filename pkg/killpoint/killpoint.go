// Package killpoint names the places where tests kill the process, to see that what comes after it ends right all the same.
//
// In a normal build At does nothing and leaves nothing in the binary. With the build tag killpoints, and the variable KILLPOINT=NAME or
// KILLPOINT=NAME:N in the environment, the process gets SIGKILL when it passes the point NAME for the N-th time (the first without N).
package killpoint

// Point is a place in the code.
type Point string

// The points of a DAG run, in the order in which it passes them.
const (
	AfterClaim        Point = "after-claim"         // a worker has claimed a try
	AfterAnswer       Point = "after-answer"        // the source has answered, its payload is not kept yet
	AfterPayload      Point = "after-payload"       // the payload is on disk
	LoadRaw           Point = "load-raw"            // a chunk of raw rows is with the database, in the transaction of their batch
	AfterBatch        Point = "after-batch"         // the batch is stored, and nobody was told
	AfterImportChunk  Point = "after-import-chunk"  // rows of a file are stored, and nobody was told
	AfterRunOpened    Point = "after-run-opened"    // tracking has made the run of a decision or of a training
	LoadSplits        Point = "load-splits"         // a chunk of a split is with the database, not committed
	BeforeSplitsSwap  Point = "before-splits-swap"  // all splits are loaded aside
	AfterSplitsSwap   Point = "after-splits-swap"   // the new splits are in place
	LoadClean         Point = "load-clean"          // a chunk of clean rows is with the database, not committed
	BeforeCleanSwap   Point = "before-clean-swap"   // all clean tables are loaded aside
	AfterCleanSwap    Point = "after-clean-swap"    // the new clean tables are in place
	AfterUpload       Point = "after-upload"        // a file of the model is with tracking
	AfterModelLogged  Point = "after-model-logged"  // the logged model is whole
	AfterRegistered   Point = "after-registered"    // the model version exists
	AfterPromoted     Point = "after-promoted"      // the version is in production, the run does not say so yet
	BeforeFinish      Point = "before-finish"       // a task is done, its row does not say so yet
	AfterFinish       Point = "after-finish"        // the row says so, the jobs of what comes next are not inserted yet
	AfterSourceReset  Point = "after-source-reset"  // the source starts over, no table was emptied
	BetweenResets     Point = "between-resets"      // the tables of RawData are empty, those of CleanData are not
	ModelDownloaded   Point = "model-downloaded"    // serving has fetched another version
	ModelMoved        Point = "model-moved"         // that version is in its place on disk, but not named the current one
	ModelNamed        Point = "model-named"         // it is named, the requests still get the one before
	AfterGarbageClaim Point = "after-garbage-claim" // a deleted run can no longer be restored, nothing of it is removed
	AfterGarbageFiles Point = "after-garbage-files" // its files are gone, its rows are not
	JournalHalf       Point = "journal-half"        // half of what is written to the journal at once is with the system
	AfterPredictionIn Point = "after-prediction-in" // a prediction is in the journal, its request is not answered
	AfterShip         Point = "after-ship"          // a batch of the journal is with the database, the journal does not say so
	AfterCheckpoint   Point = "after-checkpoint"    // the journal says so, segments that are through are not removed

	AfterBackupFile   Point = "after-backup-file"   // a file is in the target of a backup, others may not be
	BeforeManifest    Point = "before-manifest"     // all of a backup is there but its manifest
	AfterRestoredFile Point = "after-restored-file" // a file of a backup is in the new data folder, others may not be

	AfterImportedExperiment Point = "after-imported-experiment" // an experiment of another tracking server is here, nothing in it is
	AfterImportedRun        Point = "after-imported-run"        // a run is, its points and files are not
	AfterImportedPoints     Point = "after-imported-points"     // some points of a run are
	AfterImportedFile       Point = "after-imported-file"       // an artifact is, others may not be
	AfterImportedModel      Point = "after-imported-model"      // a logged model is, its files are not
	AfterImportedRegistered Point = "after-imported-registered" // a registered model is, its versions are not
	AfterImportedVersion    Point = "after-imported-version"    // a version is, the aliases are not
)
