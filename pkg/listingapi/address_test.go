package listingapi_test

import (
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"tasador/pkg/apperror"
	"tasador/pkg/listingapi"
)

func TestAddressesMayHaveAPathAndAQueryOfTheirOwn(t *testing.T) {
	var asked string
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.URL.String()
		answer(200, "application/json", `[]`)(w, r)
	})
	for uri, want := range map[string][2]string{ // exact or not
		base:                                {"/", "/data?day=Tuesday&group_number=7"},
		base + "/api/v1/":                   {"/api/v1/", "/api/v1/data?day=Tuesday&group_number=7"},
		base + "/api?key=a%2Fb&x":           {"/api?key=a%2Fb&x", "/api/data?key=a%2Fb&x&day=Tuesday&group_number=7"},
		base + "/api?day=Monday":            {"/api?day=Monday", "/api/data?day=Monday&group_number=7"},
		base + "/out/a%20b.json.gz?sig=1+2": {"/out/a%20b.json.gz?sig=1+2", "/out/a%20b.json.gz/data?sig=1+2&day=Tuesday&group_number=7"},
	} {
		_, err := listingapi.New(uri, listingapi.Options{Exact: true}).Fetch(t.Context(), request, io.Discard)
		require.NoError(t, err)
		require.Equal(t, want[0], asked)
		_, err = listingapi.New(uri, listingapi.Options{}).Fetch(t.Context(), request, io.Discard)
		require.NoError(t, err)
		require.Equal(t, want[1], asked)
	}
	asked = "nothing"
	require.NoError(t, listingapi.New(base, listingapi.Options{Exact: true}).Restart(t.Context(), request))
	require.Equal(t, "nothing", asked, "an exact address has no place to start over")
}

func TestKeysInAddressesAreNotShown(t *testing.T) {
	for _, exact := range []bool{false, true} {
		base := serve(t, answer(403, "text/plain", "no"))
		_, err := listingapi.New(base+"/x?api_key=hunter2&v=3", listingapi.Options{Exact: exact}).Fetch(t.Context(), request, io.Discard)
		require.ErrorContains(t, err, "api_key=xxxxx&v=3")
		require.NotContains(t, err.Error(), "hunter2")
	}
}

func TestHeadersGoWithEveryRequest(t *testing.T) {
	headers, err := listingapi.ParseHeaders([]string{"authorization: Bearer a:b, c", "X-Tenant:  one \nX-Tenant: two", "", "Accept: text/json"})
	require.NoError(t, err)
	var asked http.Header
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Header
		answer(200, "application/json", `[]`)(w, r)
	})
	client := listingapi.New(base, listingapi.Options{Headers: headers})
	_, err = client.Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "Bearer a:b, c", asked.Get("Authorization"))
	require.Equal(t, []string{"one", "two"}, asked.Values("X-Tenant"))
	require.Equal(t, "text/json", asked.Get("Accept"))
	require.Equal(t, request.IdempotencyKey, asked.Get("Idempotency-Key"))
	require.NoError(t, client.Restart(t.Context(), request))
	require.Equal(t, "Bearer a:b, c", asked.Get("Authorization"))

	for line, says := range map[string]string{
		"hunter2": "a line without a colon", "A B: hunter2": `the header "A B" cannot be sent`, "A: hunter2\x00": `the header "A" cannot be sent`,
		"host: hunter2": "host is set by tasador", "Idempotency-key: hunter2": "is set by tasador", "accept-encoding: hunter2": "is set by tasador", ": hunter2": "cannot be sent",
	} {
		_, err := listingapi.ParseHeaders([]string{line})
		require.ErrorContains(t, err, says)
		require.NotContains(t, err.Error(), "hunter2")
		require.Equal(t, apperror.Invalid, apperror.CodeOf(err))
	}
}

func TestHeadersDoNotFollowToAnotherServer(t *testing.T) {
	var there http.Header
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		there = r.Header
		answer(200, "application/json", `[]`)(w, r)
	})
	var here http.Header
	base := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/data" {
			http.Redirect(w, r, "/moved", http.StatusTemporaryRedirect)
			return
		}
		here = r.Header
		http.Redirect(w, r, other+"/x", http.StatusFound)
	})
	headers, err := listingapi.ParseHeaders([]string{"X-Api-Key: hunter2", "Authorization: hunter2"})
	require.NoError(t, err)
	_, err = listingapi.New(base+"?key=hunter2", listingapi.Options{Headers: headers}).Fetch(t.Context(), request, io.Discard)
	require.NoError(t, err)
	require.Equal(t, "hunter2", here.Get("X-Api-Key"))
	for name, values := range there {
		require.NotContains(t, values, "hunter2", name)
		require.NotEqual(t, "Referer", name)
	}

	loop := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, r.URL.String(), http.StatusFound) })
	_, err = listingapi.New(loop, listingapi.Options{}).Fetch(t.Context(), request, io.Discard)
	require.ErrorContains(t, err, "it redirected 10 times")
}
