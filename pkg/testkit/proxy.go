package testkit

import "net/http"

// FullDuplex lets a reverse proxy begin its answer before it has seen the end of the request's body. Without it the server closes that body when the answer
// begins, and the proxy, should it look for the end only then, takes the connection that the answer comes on for broken.
func FullDuplex(proxy http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = http.NewResponseController(w).EnableFullDuplex() // HTTP/2 always is
		proxy.ServeHTTP(w, r)
	})
}
