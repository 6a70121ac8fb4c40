package httpserver

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
)

// Readiness is what a server says of itself at /readyz.
type Readiness struct {
	Answers bool // something does at the address
	Ours    bool // and it is the role that was asked for
	Ready   bool
	Parts   map[string]string // part → ok, or why it is not ready
	Notes   map[string]string // part → what is not as it should be although the part is ready
}

// Late returns the parts that are not ready, by name.
func (r Readiness) Late() []string {
	var late []string
	for part, says := range r.Parts {
		if says != partOK {
			late = append(late, part)
		}
	}
	slices.Sort(late)
	return late
}

const maxReadiness = 1 << 20 // bytes of an answer

// AskReady asks the server at an address, such as http://127.0.0.1:8080, whether it is ready. The error says that the address is none; a server that
// does not answer is part of the result.
func AskReady(ctx context.Context, client *http.Client, role, address string) (Readiness, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address+"/readyz", http.NoBody)
	if err != nil {
		return Readiness{}, fmt.Errorf("ask whether %s is ready: %w", role, err)
	}
	res, err := client.Do(req)
	if err != nil {
		return Readiness{}, nil //nolint:nilerr // a server that is away is an answer
	}
	defer func() { _ = res.Body.Close() }() // only read from
	var answer struct {
		Role  string            `json:"role"`
		Parts map[string]string `json:"parts"`
		Notes map[string]string `json:"notes"`
	}
	if json.NewDecoder(io.LimitReader(res.Body, maxReadiness)).Decode(&answer) != nil || answer.Role != role {
		return Readiness{Answers: true}, nil
	}
	return Readiness{Answers: true, Ours: true, Ready: res.StatusCode == http.StatusOK, Parts: answer.Parts, Notes: answer.Notes}, nil
}

// AskSelf asks a server of this process whether it is ready, through the address that it listens on, as host:port, whatever names it may be called by.
// encrypted says that it speaks HTTPS. Its certificate is for other names, and need not be checked: nobody stands between a process and itself.
func AskSelf(ctx context.Context, role, listen string, encrypted bool) (Readiness, error) {
	var dialer net.Dialer
	transport := &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, listen)
		},
		TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, // #nosec G402 -- as said
	}
	scheme := "http"
	if encrypted {
		scheme = "https"
	}
	return AskReady(ctx, &http.Client{Transport: transport}, role, scheme+"://localhost")
}
