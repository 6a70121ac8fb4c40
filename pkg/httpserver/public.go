package httpserver

import "slices"

// metricsPath is where scrapers read.
const metricsPath = "/metrics"

func publicPath(path string) bool { return slices.Contains(publicPaths(), path) }

// publicPaths are all addresses of all roles that answer without a login: a route that is declared Public and is not among them is refused. /metrics is one
// more if --auth.open-metrics says so.
func publicPaths() []string {
	return []string{
		"/healthz", "/readyz", // of every role
		"/health",                             // of tracking and serving, as MLflow's and the original's
		"/ping",                               // of serving, as MLflow's scoring server's
		"/v2/health/live", "/v2/health/ready", // of serving, as the Open Inference Protocol has them
		"/api/v2/monitor/health", // of the pipeline, as Airflow's
		"/login",                 // of every role
		tokenPath, tokenPathCLI,  // of the pipeline, as Airflow's
		"/static/*", // style, scripts and pictures of the pages
	}
}
