package httpserver

import (
	"cmp"
	"net"
	"net/http"
	"net/url"
	"strings"

	"tasador/pkg/config"
	"tasador/pkg/realtor"
)

// Places are the addresses of the servers' pages as one reader's browser finds them. An address is empty where this process cannot know it: then pages show
// plain text.
type Places struct {
	roots   map[string]string // of the roles that are known; empty for the own one
	foreign bool              // tracking is a stock MLflow server, whose pages stand elsewhere
}

// Places returns the addresses for the reader who sent r.
func (h *Header) Places(r *http.Request) Places {
	p := Places{roots: map[string]string{h.role: ""}}
	for _, role := range config.DefaultRoles() {
		if role == h.role {
			continue
		}
		if root := h.public(r, role); root != "" {
			p.roots[role] = root
		}
	}
	if tracking, known := h.ready[config.RoleTracking].get(); known && h.role != config.RoleTracking {
		p.foreign = !tracking.Ours
	}
	return p
}

func (p Places) at(role, path string) string {
	root, known := p.roots[role]
	if !known {
		return ""
	}
	return root + path
}

func (p Places) tracking(path string) string {
	if p.foreign {
		path = "/#" + path
	}
	return p.at(config.RoleTracking, path)
}

// Appraise is the first page of serving.
func (p Places) Appraise() string { return p.at(config.RoleServing, "/") }

// Watch is the page of serving that says whether the model is still right.
func (p Places) Watch() string { return p.at(config.RoleServing, "/watch") }

// Predictions lists what was predicted with a version of a model.
func (p Places) Predictions(model, version string) string {
	return p.at(config.RoleServing, "/predictions?"+url.Values{"model": {model}, "version": {version}}.Encode())
}

// DAGs is the first page of the pipeline.
func (p Places) DAGs() string { return p.at(config.RolePipeline, "/") }

// DAGRun is the page of a DAG run; empty without an id.
func (p Places) DAGRun(id string) string {
	if id == "" {
		return ""
	}
	return p.at(config.RolePipeline, "/dags/"+realtor.DAG+"/runs/"+url.PathEscape(id))
}

// Experiments is the first page of tracking.
func (p Places) Experiments() string { return p.at(config.RoleTracking, "/") }

// Run is the page of an experiment run.
func (p Places) Run(id string) string { return p.tracking("/runs/" + url.PathEscape(id)) }

// Models is the list of registered models.
func (p Places) Models() string { return p.tracking("/models") }

// Version is the page of a registered model, at one of its versions.
func (p Places) Version(model, version string) string {
	if p.foreign {
		return p.tracking("/models/" + url.PathEscape(model) + "/versions/" + url.PathEscape(version))
	}
	return p.tracking("/models/" + url.PathEscape(model) + "#version-" + url.QueryEscape(version))
}

// public is where the browser of the reader who sent r finds a role. An address of loopback means the machine that it is read on, so it leads somewhere only
// if the reader is on this one; an address of all interfaces means the one that was asked.
func (h *Header) public(r *http.Request, role string) string {
	if set := h.cfg.PublicURL(role); set != "" {
		return strings.TrimSuffix(set, "/")
	}
	u, err := url.Parse(h.known(role))
	if err != nil || u.Host == "" {
		return ""
	}
	u.User = nil // what logs this process in is not for readers
	asked := hostOnly(r.Host)
	switch {
	case unspecified(u.Hostname()):
		u.Host = net.JoinHostPort(asked, u.Port())
	case onLoopback(u.Hostname()) && !onLoopback(asked):
		return ""
	}
	return strings.TrimSuffix(u.String(), "/")
}

// known is the address of a role as this process knows it: where it is configured to be, or listens.
func (h *Header) known(role string) string {
	if role == config.RoleTracking && role != h.role {
		return cmp.Or(h.cfg.Tracking.URI, h.cfg.Address(config.RoleTracking))
	}
	listen := *h.cfg.Listen(role)
	if host, port, err := net.SplitHostPort(listen); err == nil && host == "" {
		listen = net.JoinHostPort("0.0.0.0", port)
	}
	return h.cfg.AddressOf(listen)
}

// internal is where this process reaches a role: where it listens if it runs here, tracking where it is configured to be, else where everybody does.
func (h *Header) internal(role string) string {
	address := h.known(role)
	configured := role == config.RoleTracking && h.role != config.RoleSource
	if public := h.cfg.PublicURL(role); public != "" && role != h.role && !configured && !h.cfg.Runs(role) {
		address = public
	}
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	if unspecified(u.Hostname()) {
		u.Host = net.JoinHostPort("127.0.0.1", u.Port())
	}
	return strings.TrimSuffix(u.String(), "/")
}

func unspecified(host string) bool {
	ip := net.ParseIP(host)
	return ip != nil && ip.IsUnspecified()
}

func onLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}
