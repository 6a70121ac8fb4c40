// Package config holds the settings of all roles. Each setting is one key: a flag (--pipeline.listen), an environment variable
// (TASADOR_PIPELINE_LISTEN) and a line of the configuration file (pipeline.listen), in this order of precedence.
package config

import "time"

// Config is every setting. Keys that a role does not use are refused on its command line (see the roles tags).
type Config struct {
	Role    []string `name:"role" placeholder:"NAMES" help:"Roles to run, comma-separated: ${roles}. Without it: ${default_roles}, in one process."`
	DataDir string   `name:"data-dir" default:"./data" type:"path" placeholder:"DIR" help:"Folder for everything that is stored, unless another setting names a place of its own."`

	// A start that waits suits what starts all servers at once; who starts one by hand is told at once what is wrong.
	StartWait time.Duration `name:"start-wait" default:"0s" placeholder:"DURATION" help:"How long a start waits for databases and for the bucket of artifacts, if they do not answer or are not there yet."`

	Insecure bool  `name:"insecure" help:"Allow to listen on other addresses than loopback although nobody has to log in."`
	Auth     Auth  `embed:"" prefix:"auth."`
	HTTP     HTTP  `embed:"" prefix:"http."`
	Audit    Audit `embed:"" prefix:"audit."`
	Log      Log   `embed:"" prefix:"log."`

	Pipeline    Pipeline    `embed:"" prefix:"pipeline."`
	Tracking    Tracking    `embed:"" prefix:"tracking."`
	Serving     Serving     `embed:"" prefix:"serving."`
	Source      Source      `embed:"" prefix:"source."`
	RawData     RawData     `embed:"" prefix:"rawdata."`
	CleanData   CleanData   `embed:"" prefix:"cleandata."`
	Predictions Predictions `embed:"" prefix:"predictions."`
	Artifacts   Artifacts   `embed:"" prefix:"artifacts."`
	Gate        Gate        `embed:"" prefix:"gate."`
	Schedule    Schedule    `embed:"" prefix:"schedule."`

	granted map[string]string `kong:"-"` // role of this process → what it shows the others; never written anywhere
}

// Credential is what other servers of tasador are shown.
type Credential struct {
	Token     string `name:"token" placeholder:"TOKEN" secret:"value" help:"API token that other servers of tasador are shown, as tasador token create makes it; --auth.token-file keeps it out of lists of processes."`
	TokenFile string `name:"token-file" placeholder:"FILE" help:"File that holds the token of --auth.token and nothing else; read anew when it changes."`
}

// Auth says who has to log in, and where the users are.
type Auth struct {
	Enabled     bool          `name:"enabled" help:"Everybody has to log in. tasador user add makes the first user."`
	URL         string        `name:"url" placeholder:"URL" help:"Database of users: sqlite:PATH or postgres://user:password@host:port/name, which several servers may share. Default: sqlite:DATA-DIR/auth.db"`
	OpenMetrics bool          `name:"open-metrics" help:"Let /metrics be read without a login, for scrapers that have none."`
	SessionIdle time.Duration `name:"session-idle" default:"12h" placeholder:"DURATION" help:"How long a login on the pages lasts without a request."`
	SessionLife time.Duration `name:"session-life" default:"168h" placeholder:"DURATION" help:"How long a login on the pages lasts in all."`
	CallLife    time.Duration `name:"call-life" default:"24h" placeholder:"DURATION" help:"How long a token of the pipeline's POST /auth/token lasts."`
	Outage      time.Duration `name:"outage" default:"12h" placeholder:"DURATION" help:"How long passwords and tokens that were right go on being taken while the database of users is away."`
	Credential  `embed:""`
}

// HTTP is what all servers share.
type HTTP struct {
	TLSCert string `name:"tls-cert" placeholder:"FILE" help:"Certificate of the servers with those that vouch for it (PEM): with it and --http.tls-key they speak HTTPS. Both files are read anew when they change."`
	TLSKey  string `name:"tls-key" placeholder:"FILE" help:"Key of --http.tls-cert (PEM)."`
	CA      string `name:"ca" placeholder:"FILE" help:"Certificates of authorities (PEM) that are trusted beside those of the system, where other servers are asked."`

	AllowedHosts []string      `name:"allowed-hosts" placeholder:"NAMES" help:"Host names under which the servers may be called, beside those of loopback; * allows all."`
	StopDelay    time.Duration `name:"stop-delay" default:"0s" placeholder:"DURATION" help:"How long a stop keeps answering new connections once /readyz says that it stops; behind a balancer, longer than it needs to notice."`
}

// Audit is how much is kept of who changed what.
type Audit struct {
	MaxBytes int64 `name:"max-bytes" default:"33554432" help:"Size in bytes after which the audit log begins a new file in DATA-DIR/audit."`
	MaxFiles int   `name:"max-files" default:"20" help:"Files of the audit log that are kept; of more, the oldest are deleted. 0 keeps no audit log."`
}

// Log is where and how the log is written; it goes to standard error.
type Log struct {
	Format string `name:"format" default:"text" help:"Form of the log: text or json."`
	Level  string `name:"level" default:"info" help:"Least level that is logged: debug, info, warn or error."`
}

// Pipeline is the role that runs the DAG.
type Pipeline struct {
	Listen     string `name:"listen" default:"127.0.0.1:8080" placeholder:"ADDR" roles:"pipeline" help:"Address of the pipeline server."`
	DB         string `name:"db" placeholder:"URL" roles:"pipeline" help:"Database of DAG runs: sqlite:PATH or postgres://user:password@host:port/name. Default: sqlite:DATA-DIR/pipeline.db"`
	JobsSchema string `name:"jobs-schema" default:"tasador_jobs" roles:"pipeline" placeholder:"NAME" help:"Schema for the tables of jobs in the database of DAG runs, if that is PostgreSQL. Pipelines that share a database need one each."`
	PublicURL  string `name:"public-url" placeholder:"URL" roles:"pipeline,tracking,serving,source" help:"Where browsers reach the pipeline server, for the links of the pages. Default: its address as this process knows it."`
}

// Tracking is the role that keeps experiments, models and artifacts, and where the other roles find it.
type Tracking struct {
	Listen    string `name:"listen" default:"127.0.0.1:5000" placeholder:"ADDR" roles:"tracking" help:"Address of the tracking server."`
	DB        string `name:"db" placeholder:"URL" roles:"tracking" help:"Database of experiments and models. Default: sqlite:DATA-DIR/tracking.db"`
	URI       string `name:"uri" placeholder:"URL" roles:"pipeline,serving" env:"TASADOR_TRACKING_URI,MLFLOW_TRACKING_URI" help:"Where pipeline and serving reach tracking. Default: the tracking server of this process, else http://127.0.0.1:5000"`
	Username  string `name:"username" placeholder:"NAME" roles:"pipeline,tracking,serving,source" env:"TASADOR_TRACKING_USERNAME,MLFLOW_TRACKING_USERNAME" help:"User that tracking is shown with --tracking.password, if there is no --auth.token; for a stock MLflow server too."`
	Password  string `name:"password" placeholder:"PASSWORD" secret:"value" roles:"pipeline,tracking,serving,source" env:"TASADOR_TRACKING_PASSWORD,MLFLOW_TRACKING_PASSWORD" help:"Password of --tracking.username."`
	Token     string `name:"token" placeholder:"TOKEN" secret:"value" roles:"pipeline,tracking,serving,source" env:"TASADOR_TRACKING_TOKEN,MLFLOW_TRACKING_TOKEN" help:"Token that tracking is shown, if there is neither --auth.token nor a user with a password."`
	PublicURL string `name:"public-url" placeholder:"URL" roles:"pipeline,tracking,serving,source" help:"Where browsers reach the tracking server, for the links of the pages. Default: its address as this process knows it."`
}

// Serving is the role that answers predictions.
type Serving struct {
	Listen string `name:"listen" default:"127.0.0.1:8000" placeholder:"ADDR" roles:"serving" help:"Address of the prediction server."`
	Model  string `name:"model" default:"${model}" roles:"serving" help:"Registered model that is served."`
	Stage  string `name:"stage" default:"Production" roles:"serving" help:"Stage whose version is served."`
	Alias  string `name:"alias" placeholder:"ALIAS" roles:"serving" help:"Alias whose version is served, instead of that of a stage."`
	Shadow string `name:"shadow" placeholder:"STAGE|@ALIAS|N" roles:"serving" help:"Stage, alias or number of a version that is asked too, without being heard: how far its prices are from those given is measured."`

	Challenger      string  `name:"challenger" placeholder:"STAGE|@ALIAS|N" roles:"serving" help:"Stage, alias or number of a version that answers a share of the requests."`
	ChallengerShare float64 `name:"challenger-share" default:"0.1" roles:"serving" help:"Share of the requests that the challenger answers, from 0 to 1; which ones, their ids decide."`
	IntervalLevel   float64 `name:"interval-level" default:"0.9" roles:"serving" help:"Probability with which the price lies in the interval of an answer, from 0.5 to 0.99, unless the request says level."`

	Follow     time.Duration `name:"follow" default:"2s" roles:"serving" help:"How often serving asks tracking for a newer version."`
	Unrecorded string        `name:"unrecorded" default:"refuse" roles:"serving" help:"What becomes of a prediction that cannot be recorded, as on a full disk: refuse (it is not given) or serve (it is given all the same, and counted)."`
	PublicURL  string        `name:"public-url" placeholder:"URL" roles:"pipeline,tracking,serving,source" help:"Where browsers reach the serving server, for the links of the pages. Default: its address as this process knows it."`
}

// Source is the data API: where the pipeline finds it, and what the role source hands out.
type Source struct {
	URI         string        `name:"uri" placeholder:"URL" roles:"pipeline" help:"Data API that listings are read from. Default: the source of this process, if it runs one."`
	Exact       bool          `name:"exact" roles:"pipeline" help:"--source.uri is the address of the listings as it is: no path and no parameters are added, and the source cannot start over."`
	Auth        bool          `name:"auth" roles:"pipeline" help:"The data API is a source of tasador, which is shown --auth.token too. Others never are: they may want --source.headers."`
	GroupNumber int           `name:"group-number" default:"7" roles:"pipeline" help:"Group number that the data API is asked for."`
	Day         string        `name:"day" default:"Tuesday" roles:"pipeline" help:"Day that the data API is asked for."`
	Timeout     time.Duration `name:"timeout" default:"30m" roles:"pipeline" help:"Longest that a whole answer of the data API may take. 0 means any time."`
	Retries     int           `name:"retries" default:"2" roles:"pipeline" help:"How often the data API is asked again, within a try of a task, when it cannot be reached, breaks off, or answers 408, 429 or 5xx."`
	RetryDelay  time.Duration `name:"retry-delay" default:"1s" roles:"pipeline" help:"Wait before the data API is asked again; doubled each time, and longer if it says so (Retry-After)."`
	Rate        float64       `name:"rate" default:"0" roles:"pipeline" help:"Most requests to the data API in a second, such as 0.5. 0 means any number."`
	Headers     []string      `name:"headers" sep:"none" placeholder:"'NAME: VALUE'" secret:"header" roles:"pipeline" help:"Header of each request to the data API, such as 'Authorization: Bearer …'. May be given several times; in a variable, one a line."`
	Listen      string        `name:"listen" default:"127.0.0.1:8090" placeholder:"ADDR" roles:"source" help:"Address of the data API."`
	CSV         string        `name:"csv" placeholder:"FILE" roles:"source" help:"CSV file that the data API hands out, instead of generated listings."`
	Batches     string        `name:"batches" placeholder:"PLAN" roles:"source" help:"Batches that the data API hands out, such as 15000,0,800,12000:nulls=bath,12000:missing=bed,rest."`
	Seed        uint64        `name:"seed" default:"1" roles:"source" help:"Seed of the generated listings."`
}

// RawData is the database of raw listings and their splits.
type RawData struct {
	URL string `name:"url" placeholder:"URL" roles:"pipeline,serving" env:"TASADOR_RAWDATA_URL,AIRFLOW_CONN_MYSQL_DEFAULT,RAW_DATA_DB_URI" help:"Database of raw listings and splits: sqlite:PATH, mysql://… or postgres://… Default: sqlite:DATA-DIR/rawdata.db"`
}

// CleanData is the database of encoded listings.
type CleanData struct {
	URL string `name:"url" placeholder:"URL" roles:"pipeline" env:"TASADOR_CLEANDATA_URL,AIRFLOW_CONN_MYSQL_CLEAN" help:"Database of encoded listings: sqlite:PATH, mysql://… or postgres://… Default: sqlite:DATA-DIR/cleandata.db"`
}

// Predictions is the database of answered predictions.
type Predictions struct {
	URL string `name:"url" placeholder:"URL" roles:"serving" help:"Database of answered predictions. Default: RawData where that is on a server, or where serving runs without pipeline and --rawdata.url is given; else sqlite:DATA-DIR/predictions.db"`
}

// Artifacts is where tracking keeps files.
type Artifacts struct {
	URL  string `name:"url" placeholder:"URL" roles:"tracking" help:"Where artifacts are kept that go through tracking: file:PATH or s3://bucket/prefix. Default: --artifacts.root, or file:DATA-DIR/artifacts"`
	Root string `name:"root" placeholder:"URL" roles:"tracking" help:"Where clients keep the artifacts of new experiments themselves: file:PATH or s3://bucket/prefix, which tracking must reach too. Default: nowhere; artifacts go through tracking."`
	S3   `embed:""`
	// Clients that are told of signed addresses use them for each download, and fail where they cannot reach the S3 server.
	ProxyOnly bool `name:"proxy-only" roles:"tracking" help:"Move all artifacts on S3 through tracking: clients, which may not reach the S3 server, get no signed addresses of it."`
}

// S3 is where addresses that begin with s3:// are. Access keys and region come from the AWS_ variables.
type S3 struct {
	Endpoint string `name:"endpoint" placeholder:"URL" roles:"pipeline,tracking,serving" env:"TASADOR_ARTIFACTS_ENDPOINT,MLFLOW_S3_ENDPOINT_URL,AWS_ENDPOINT_URL_S3,AWS_ENDPOINT_URL" help:"Server of s3:// addresses, such as http://127.0.0.1:9000. Default: AWS."`
}

// Gate decides whether a batch is worth training (see the documentation of decide_to_train).
type Gate struct {
	Nullable        []string `name:"nullable" placeholder:"COLUMNS" roles:"pipeline" help:"Required columns that may hold nulls, comma-separated."`
	MaxInvalidRatio float64  `name:"max-invalid-ratio" default:"0" roles:"pipeline" help:"Share of rows, 0 to 1, that may fail the checks."`
	MinNewRecords   int      `name:"min-new-records" default:"10000" roles:"pipeline" help:"Training needs more new rows than this."`
}

// Schedule says when the DAG runs and how its tasks are tried again.
type Schedule struct {
	Cron          string        `name:"cron" default:"@daily" roles:"pipeline" help:"When the DAG runs: a cron expression, @daily and the like, or none for never."`
	Start         string        `name:"start" default:"2025-05-01" roles:"pipeline" help:"First day of the schedule, in its time zone."`
	Timezone      string        `name:"timezone" default:"UTC" placeholder:"ZONE" roles:"pipeline" help:"Time zone of the schedule, such as Europe/Madrid."`
	Catchup       bool          `name:"catchup" roles:"pipeline" help:"Run every interval that was missed since the first start."`
	MaxActiveRuns int           `name:"max-active-runs" default:"1" roles:"pipeline" help:"DAG runs at the same time. The split tables are shared, so only 1 is safe."`
	KeepRuns      int           `name:"keep-runs" default:"10000" placeholder:"N" roles:"pipeline" help:"How many finished DAG runs are kept; of more, the oldest are deleted with their tries, logs and XComs. 0 keeps all."`
	Retries       int           `name:"retries" default:"1" roles:"pipeline" help:"How often a failed task is tried again."`
	RetryDelay    time.Duration `name:"retry-delay" default:"5m" roles:"pipeline" help:"Wait before a failed task is tried again."`
	TaskTimeout   time.Duration `name:"task-timeout" default:"0s" roles:"pipeline" help:"Longest that a try of a task may take; it then fails. 0 means any time."`
	Owner         string        `name:"owner" default:"airflow" roles:"pipeline" help:"Owner that the DAG shows."`
	Tags          []string      `name:"tags" default:"realtor,mlflow" roles:"pipeline" help:"Tags that the DAG shows."`
}
